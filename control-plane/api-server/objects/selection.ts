import { ApiError } from '../../../api/errors';
import { checkFields, matchesFields, parseFieldSelector } from '../../../api/field-selectors';
import { matchesRequirements, parseLabelSelector, SelectorError } from '../../../api/selectors';
import type { ApiObject } from '../../../api/types';
import type { ServedKind } from '../kinds/served-kind';

export interface SelectionQuery {
  /** Undefined: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Which objects of a kind a request is about. */
export interface Selection {
  readonly namespace: string | undefined;
  /** True when no selector narrows the namespace. */
  readonly isWhole: boolean;
  /** Set when only one name can match. */
  readonly name: string | undefined;
  /** Looks at selectors only: the caller has chosen the namespace. */
  matches(object: ApiObject): boolean;
}

/** @throws BadRequest for a selector that does not parse or names a field the kind lacks. */
export const compileSelection = (kind: ServedKind, query: SelectionQuery): Selection => {
  const { labelSelector = '', fieldSelector = '', namespace } = query;
  if (labelSelector.length + fieldSelector.length > MAX_SELECTOR_LENGTH)
    throw new ApiError('BadRequest', `selectors longer than ${MAX_SELECTOR_LENGTH} are refused`);
  return asBadRequest(() => {
    const labels = parseLabelSelector(labelSelector);
    const fields = parseFieldSelector(fieldSelector);
    checkFields(fields, [...METADATA_FIELDS, ...Object.keys(kind.fields)]);
    const named = fields.find(
      ({ field, operator }) => field === 'metadata.name' && operator === '=',
    );
    return {
      namespace: namespace === '' ? undefined : namespace,
      isWhole: labels.length === 0 && fields.length === 0,
      name: named?.value,
      matches: (object) =>
        matchesFields(fields, (field) => fieldOf(kind, object, field)) &&
        matchesRequirements(labels, object.metadata.labels ?? {}),
    };
  });
};

const fieldOf = (kind: ServedKind, object: ApiObject, field: string): string => {
  if (field === 'metadata.name') return object.metadata.name;
  if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
  return kind.fields[field]?.(object) ?? '';
};

const asBadRequest = <T>(work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof SelectorError)
      throw new ApiError('BadRequest', error.message, { cause: error });
    throw error;
  }
};

const METADATA_FIELDS = ['metadata.name', 'metadata.namespace'];
const MAX_SELECTOR_LENGTH = 64 * 1024;
