import type { ApiObject } from '../../api/types';
import { parseFieldPath, valueText } from '../output/jsonpath';
import { UsageError } from '../usage-error';

/** What `wait` waits for. */
export interface Awaited {
  readonly kind: 'create' | 'delete' | 'state';
  /** Of an object that is there: is it as it is to be? */
  readonly holds: (object: ApiObject) => boolean;
  /** The condition's name, where it is one. */
  readonly condition?: string;
}

/** Reads `condition=Ready`, `condition=Ready=false`, `jsonpath={.a}=b`, `create`, `delete`. @throws UsageError */
export const parseAwaited = (text: string): Awaited => {
  if (text === 'create' || text === 'delete') {
    return { kind: text, holds: () => text === 'create' };
  }
  if (text.startsWith('condition=')) return conditionOf(text.slice('condition='.length));
  if (text.startsWith('jsonpath=')) return fieldOf(text.slice('jsonpath='.length));
  throw new UsageError(`unrecognized condition: "${text}"`);
};

const conditionOf = (text: string): Awaited => {
  const [type = '', value = 'true'] = text.split('=');
  const isType = (other: string) => other.toLowerCase() === type.toLowerCase();
  return {
    kind: 'state',
    condition: type,
    holds: (object) => {
      const { status, metadata } = object as Conditioned;
      const found = status?.conditions?.find((each) => isType(each.type));
      const { observedGeneration } = found ?? {};
      // What was found out of an earlier specification says nothing of this one.
      if (observedGeneration !== undefined && observedGeneration < (metadata.generation ?? 0))
        return false;
      return found?.status.toLowerCase() === value.toLowerCase();
    },
  };
};

type Conditioned = ApiObject & {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly observedGeneration?: number;
    }[];
  };
};

/** The value may hold an equals sign, and so may a filter in the path: the last brace divides them. */
const fieldOf = (text: string): Awaited => {
  const [, path, value] = /^['"]?(\{.*\})['"]?(?:=(.*))?$/s.exec(text) ?? [];
  if (path === undefined) {
    throw new UsageError('jsonpath wait format must be --for=jsonpath={.status.phase}=Running');
  }
  if (value === '') {
    throw new UsageError('jsonpath wait has to have a value after equal sign');
  }
  const find = parseFieldPath(path);
  return {
    kind: 'state',
    holds: (object) => {
      const values = find(object).filter((each) => each !== undefined && each !== null);
      if (values.length > 1)
        throw new UsageError('given jsonpath expression matches more than one value');
      const [only] = values;
      return only !== undefined && (value === undefined || valueText(only) === value.trim());
    },
  };
};
