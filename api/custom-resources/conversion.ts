import { stringifyJson, isJsonObject } from '../../lib/json';
import type { Json } from '../structural/json-schema';
import type { ApiObject } from '../types';
import { validateAnnotations, validateLabels } from '../validation/metadata';
import type { FieldError } from '../validation/field-error';
import { jsonEqual } from '../json-value';

/*
 * What a conversion webhook is asked, and what of its answers counts. Source: apiextensions-apiserver's
 * pkg/apiserver/conversion, converter.go and webhook_converter.go, whose words these are.
 */

/** The versions of ConversionReview that this server speaks. */
export const CONVERSION_REVIEW_VERSIONS: readonly string[] = ['v1', 'v1beta1'];

/** An answer is none to what was asked. */
export class ConversionFault extends Error {
  override readonly name = 'ConversionFault';
}

/** The first version of the definition's that this server speaks. @throws ConversionFault */
export const conversionReviewVersionOf = (accepted: readonly string[]): string => {
  const version = accepted.find((each) => CONVERSION_REVIEW_VERSIONS.includes(each));
  if (version === undefined) throw new ConversionFault('no supported conversion review versions');
  return version;
};

export interface ConversionQuestion {
  readonly reviewVersion: string;
  readonly uid: string;
  readonly desiredApiVersion: string;
}

/** What the webhook is sent. */
export const conversionReview = (
  { reviewVersion, uid, desiredApiVersion }: ConversionQuestion,
  objects: readonly ApiObject[],
): Json => ({
  kind: 'ConversionReview',
  apiVersion: `apiextensions.k8s.io/${reviewVersion}`,
  request: { uid, desiredAPIVersion: desiredApiVersion, objects },
});

/** What it answers, not looked into yet. @throws ConversionFault */
export const convertedIn = (
  answer: unknown,
  { reviewVersion, uid }: ConversionQuestion,
): readonly unknown[] => {
  if (!isJsonObject(answer)) throw new ConversionFault('no response provided');
  const isStrict = reviewVersion === 'v1';
  if (isStrict && (answer['apiVersion'] !== REVIEW_V1 || answer['kind'] !== 'ConversionReview'))
    throw new ConversionFault(
      `expected webhook response of ${REVIEW_V1}, Kind=ConversionReview, got ` +
        `${textOf(answer['apiVersion'])}, Kind=${textOf(answer['kind'])}`,
    );
  const { response } = answer;
  if (!isJsonObject(response)) throw new ConversionFault('no response provided');
  if (isStrict && response['uid'] !== uid)
    throw new ConversionFault(
      `expected response.uid=${stringifyJson(uid)}, got ${stringifyJson(textOf(response['uid']))}`,
    );
  checkResult(response['result']);
  const objects = response['convertedObjects'] ?? [];
  if (!Array.isArray(objects)) throw new ConversionFault('response.convertedObjects is no list');
  return objects as readonly unknown[];
};

const checkResult = (result: unknown): void => {
  const { status, message } = isJsonObject(result) ? result : {};
  if (status === 'Success') return;
  throw new ConversionFault(
    textOf(message) || `response.result.status was '${textOf(status)}', not 'Success'`,
  );
};

/**
 * The object that a webhook made of another, with all metadata of the original but labels and
 * annotations. `index` counts from 1. @throws ConversionFault
 */
export const asConverted = (
  original: ApiObject,
  converted: unknown,
  desiredApiVersion: string,
  index: number,
): ApiObject => {
  if (!isJsonObject(converted) || textOf(converted['kind']) === '')
    throw new ConversionFault(`failed: Object 'Kind' is missing in '${shown(converted)}'`);
  const invalid = (why: string): ConversionFault =>
    new ConversionFault(`returned invalid converted object at index ${index}: ${why}`);
  const { apiVersion, kind, metadata, ...rest } = converted;
  if (apiVersion !== desiredApiVersion)
    throw invalid(
      `invalid groupVersion (expected ${desiredApiVersion}, received ${textOf(apiVersion)})`,
    );
  if (kind !== original.kind)
    throw invalid(`invalid kind (expected ${original.kind}, received ${textOf(kind)})`);
  const other = otherIdentity(original, metadata);
  if (other !== undefined) throw invalid(other);
  try {
    const kept = keptMetadata(original, metadata);
    return { apiVersion, kind, metadata: kept, ...rest } as unknown as ApiObject;
  } catch (error) {
    if (!(error instanceof ConversionFault)) throw error;
    throw new ConversionFault(
      `returned invalid metadata in object at index ${index}: ${error.message}`,
    );
  }
};

/** Why the metadata are those of another object. */
const otherIdentity = ({ metadata }: ApiObject, converted: unknown): string | undefined => {
  const found = isJsonObject(converted) ? converted : {};
  for (const [field, name] of IDENTITY) {
    const [expected, received] = [textOf(metadata[field]), textOf(found[field])];
    if (expected !== received) return `must have the same ${name}: ${expected} != ${received}`;
  }
  return undefined;
};

const IDENTITY = [
  ['name', 'name'],
  ['namespace', 'namespace'],
  ['uid', 'UID'],
] as const;

const keptMetadata = ({ metadata }: ApiObject, converted: unknown): Json => {
  if (converted === undefined) throw new ConversionFault('missing metadata in converted object');
  if (!isJsonObject(converted))
    throw new ConversionFault(`invalid metadata of type ${goType(converted)} in converted object`);
  const { labels: _labels, annotations: _annotations, ...kept } = metadata;
  const labels = textsOf('labels', converted);
  const annotations = textsOf('annotations', converted);
  checkTexts(labels, metadata.labels, (texts) => validateLabels(texts, 'metadata.labels'));
  checkTexts(annotations, metadata.annotations, (texts) =>
    validateAnnotations(texts, 'metadata.annotation'),
  );
  return {
    ...kept,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
};

type Texts = Readonly<Record<string, string>>;

const textsOf = (field: 'labels' | 'annotations', metadata: Json): Texts | undefined => {
  const found = metadata[field];
  if (found === undefined || found === null) return undefined;
  if (!isJsonObject(found))
    throw new ConversionFault(
      `invalid metadata.${field} of type ${goType(found)} in converted object`,
    );
  for (const [key, value] of Object.entries(found))
    if (typeof value !== 'string')
      throw new ConversionFault(
        `metadata.${field}[${key}] must be a string, but is ${goType(value)} in converted object`,
      );
  return found as Texts;
};

/** What was there before may be wrong: it is not the webhook's doing. */
const checkTexts = (
  texts: Texts | undefined,
  before: Texts | undefined,
  validate: (texts: Texts) => readonly FieldError[],
): void => {
  if (texts === undefined || jsonEqual(texts, before)) return;
  const errors = validate(texts).map(({ field, message }) => `${field}: ${message}`);
  if (errors.length > 1) throw new ConversionFault(`[${errors.slice(0, SHOWN_ERRORS).join(', ')}]`);
  if (errors[0] !== undefined) throw new ConversionFault(errors[0]);
};

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const shown = (value: unknown): string => stringifyJson(value ?? null).slice(0, SHOWN_LENGTH);

/** As `%T` prints what was decoded from JSON. */
const goType = (value: unknown): string => {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int64';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    default:
      return 'map[string]interface {}';
  }
};

const REVIEW_V1 = 'apiextensions.k8s.io/v1';
const SHOWN_LENGTH = 256;
const SHOWN_ERRORS = 10;
