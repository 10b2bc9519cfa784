import {
  JsonPathError,
  parseJsonPath as parse,
  parsePath,
  type JsonPath,
} from '../../lib/json-path';
import { UsageError } from '../usage-error';

export { valueText } from '../../lib/json-path';

/** @throws UsageError, in kubectl's words */
export const parseJsonPath = (template: string): JsonPath => {
  const path = asUsage(() => parse(template));
  return { render: (document) => asUsage(() => path.render(document)) };
};

/** As flags take a field: `.a.b`, `a.b` or `{.a.b}`. The values found there. @throws UsageError */
export const parseFieldPath = (text: string): ((document: unknown) => readonly unknown[]) => {
  const [, braced, bare] = /^\{\.?([^{}]+)\}$|^\.?([^{}]+)$/.exec(text) ?? [];
  const path = braced ?? bare;
  if (path === undefined) {
    throw new UsageError(
      `unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'`,
    );
  }
  const dotted = path.startsWith('[') || path.startsWith('$') ? path : `.${path}`;
  const find = asUsage(() => parsePath(dotted));
  return (document) => asUsage(() => find(document));
};

const asUsage = <T>(work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
};
