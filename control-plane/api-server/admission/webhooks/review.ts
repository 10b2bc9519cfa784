import { isFields, valueAt, type Fields } from '../../kinds/mutable';
import { parseJson } from '../../../../lib/json';

/** What a webhook made of a request. */
export interface ReviewVerdict {
  readonly isAllowed: boolean;
  /** Of a refusal: a `Status`, as the webhook wrote it. */
  readonly result: Fields;
  readonly warnings: readonly string[];
  /** For the audit log, without the webhook's name. */
  readonly annotations: readonly (readonly [key: string, value: string])[];
  /** Operations of a JSON patch; none when nothing is to change. */
  readonly patch: readonly unknown[];
}

/** The answer is no answer to what was asked. `message` is in upstream's words. */
export class InvalidReviewError extends Error {
  override readonly name = 'InvalidReviewError';
}

/** What the webhook is sent. */
export const reviewOf = (version: string, request: Fields): Fields => ({
  kind: REVIEW,
  apiVersion: `${GROUP}/${version}`,
  request,
});

/** The version to speak: the first of the webhook's that this server knows. @throws InvalidReviewError */
export const reviewVersionOf = (accepted: readonly string[]): string => {
  const version = accepted.find((each) => VERSIONS.includes(each));
  if (version !== undefined) return version;
  throw new InvalidReviewError(
    `webhook does not accept known AdmissionReview versions (${VERSIONS.join(', ')})`,
  );
};

interface Expected {
  readonly version: string;
  readonly uid: string;
  readonly isMutating: boolean;
}

/** @throws InvalidReviewError for all that is not an answer to this very request */
export const parseReview = (answer: unknown, expected: Expected): ReviewVerdict => {
  if (!isFields(answer)) throw new InvalidReviewError('webhook response was absent');
  const response = valueAt(answer, 'response');
  if (!isFields(response)) throw new InvalidReviewError('webhook response was absent');
  if (expected.version === 'v1') checkIdentity(answer, response, expected);
  const { allowed, status, warnings, auditAnnotations } = response;
  typed(allowed ?? false, 'boolean', 'response.allowed');
  if (status !== undefined && status !== null && !isFields(status))
    throw new InvalidReviewError('response.status is no Status');
  return {
    isAllowed: allowed === true,
    result: isFields(status) ? status : {},
    warnings: warningsIn(warnings),
    annotations: annotationsIn(auditAnnotations),
    patch: patchIn(response, expected),
  };
};

/** Of older reviews neither was verified, as upstream has it. */
const checkIdentity = (answer: Fields, response: Fields, { uid }: Expected): void => {
  const found = response['uid'];
  if (found !== uid)
    throw new InvalidReviewError(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(shown(found))}`,
    );
  const [version = '', group = ''] = shown(answer['apiVersion']).split('/').reverse();
  const kind = shown(answer['kind']);
  if (group !== GROUP || version !== 'v1' || kind !== REVIEW)
    throw new InvalidReviewError(
      `expected webhook response of ${GROUP}/v1, Kind=${REVIEW}, got ${group}/${version}, Kind=${kind}`,
    );
};

const patchIn = (response: Fields, { isMutating, version }: Expected): readonly unknown[] => {
  const patch = response['patch'] ?? '';
  const type = response['patchType'] ?? undefined;
  typed(patch, 'string', 'response.patch');
  if (!isMutating) return refusePatch(patch, type, version);
  if (version === 'v1') checkPatchType(patch, type);
  if (patch === '') return [];
  if (version === 'v1' && type !== 'JSONPatch')
    throw new InvalidReviewError(`unsupported patch type ${JSON.stringify(shown(type))}`);
  return decodePatch(patch as string);
};

const refusePatch = (patch: unknown, type: unknown, version: string): readonly unknown[] => {
  if (version === 'v1' && patch !== '')
    throw new InvalidReviewError('validating webhook may not return response.patch');
  if (version === 'v1' && type !== undefined)
    throw new InvalidReviewError('validating webhook may not return response.patchType');
  return [];
};

const checkPatchType = (patch: unknown, type: unknown): void => {
  if (patch !== '' && type === undefined)
    throw new InvalidReviewError('webhook returned response.patch but not response.patchType');
  if (patch === '' && type !== undefined)
    throw new InvalidReviewError('webhook returned response.patchType but not response.patch');
  if (type === '')
    throw new InvalidReviewError('webhook returned invalid response.patchType of ""');
};

const decodePatch = (text: string): readonly unknown[] => {
  const undecodable = (why: string) =>
    new InvalidReviewError(`received undecodable patch in webhook response: ${why}`);
  if (!BASE64.test(text)) throw undecodable('illegal base64 data');
  const operations = parsed(Buffer.from(text, 'base64'), undecodable);
  if (operations === null) return [];
  if (!Array.isArray(operations)) throw undecodable('it is no list of operations');
  return operations as readonly unknown[];
};

const parsed = (bytes: Buffer, failure: (why: string) => Error): unknown => {
  try {
    return parseJson(bytes);
  } catch (error) {
    throw failure(error instanceof Error ? error.message.slice(0, 256) : 'no JSON');
  }
};

const warningsIn = (warnings: unknown): readonly string[] =>
  Array.isArray(warnings)
    ? warnings.filter((each) => typeof each === 'string').slice(0, WARNINGS_MAX)
    : [];

const annotationsIn = (annotations: unknown): readonly (readonly [string, string])[] =>
  isFields(annotations)
    ? Object.entries(annotations)
        .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
        .slice(0, ANNOTATIONS_MAX)
    : [];

const typed = (value: unknown, type: 'boolean' | 'string', field: string): void => {
  if (typeof value !== type) throw new InvalidReviewError(`${field} is no ${type}`);
};

/** What a stranger wrote, for a message. */
const shown = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 256) : '');

const GROUP = 'admission.k8s.io';
const REVIEW = 'AdmissionReview';
const VERSIONS = ['v1', 'v1beta1'];
const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;
const WARNINGS_MAX = 20;
const ANNOTATIONS_MAX = 20;
