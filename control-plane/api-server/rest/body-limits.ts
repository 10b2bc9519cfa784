import { ApiError } from '../../../api/errors';
import { brokenLimitOf, type JsonLimits } from '../http/json-size';
import type { ServedKind } from '../kinds/served-kind';
import { scaleOf, VALUE_COUNT_WITH_OWNERS_MAX } from '../objects/object-size';

/** What a body in JSON may hold. */
export const BODY_LIMITS: JsonLimits = {
  // Ten times what any kind of the API needs.
  depthMax: 500,
  valueCountMax: VALUE_COUNT_WITH_OWNERS_MAX,
  // The longest key that means anything is a label's, of 317 bytes, with the path of a patch before it.
  keyBytesMax: 8192,
};

/** The same for one kind: definitions of kinds are larger than all else. */
export const bodyLimitsOf = (kind: ServedKind): JsonLimits => ({
  ...BODY_LIMITS,
  valueCountMax: BODY_LIMITS.valueCountMax * scaleOf(kind),
});

/** A JSON patch may have 10,000 operations of four values and more each. */
export const JSON_PATCH_LIMITS: JsonLimits = { ...BODY_LIMITS, valueCountMax: 64_000 };

/**
 * YAML costs ten times what JSON does, and nobody sends it in bulk: kubectl sends what it read as
 * JSON.
 */
export const YAML_LIMITS = {
  bytesMax: 512 * 1024,
  tokensMax: 20_000,
  nodesMax: VALUE_COUNT_WITH_OWNERS_MAX,
};

/** Before anything is built from the text. @throws RequestEntityTooLarge that names the limit */
export const checkJsonSize = (text: Uint8Array, limits: JsonLimits): void => {
  const broken = brokenLimitOf(text, limits);
  if (broken !== undefined) throw new ApiError('RequestEntityTooLarge', WORDS[broken](limits));
};

const WORDS: Readonly<Record<keyof JsonLimits, (limits: JsonLimits) => string>> = {
  depthMax: ({ depthMax }) => `json: exceeded max depth: limit is ${depthMax}`,
  valueCountMax: ({ valueCountMax }) =>
    `Request entity too large: limit is ${valueCountMax} values in a body`,
  keyBytesMax: ({ keyBytesMax }) =>
    `Request entity too large: limit is ${keyBytesMax} bytes in a key`,
};
