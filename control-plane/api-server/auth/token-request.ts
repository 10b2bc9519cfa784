import { ApiError, conflict } from '../../../api/errors';
import { cloneJson } from '../../../api/json-value';
import { invalid, invalidError } from '../../../api/validation/field-error';
import { validateTokenSeconds } from '../../../api/validation/token-seconds';
import { rfc3339 } from '../../../lib/clock';
import type { ApiObject, ObjectName } from '../../../api/types';
import { jsonResponse, type ApiResponse } from '../http/exchange';
import { askedIn, type AdmissionAttributes } from '../admission/attributes';
import {
  fieldsAt,
  isFields,
  listAt,
  textAt,
  valueAt,
  type Fields,
  type MutableObject,
} from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';
import { ISSUER, type TokenOrder } from './service-account-tokens';

/** Answers a TokenRequest for a service account. @throws NotFound, Invalid, Conflict, BadRequest */
export const requestToken = async (
  { reader, tokens, kinds, admission }: ObjectService,
  accounts: ServedKind,
  name: ObjectName,
  body: unknown,
  context: WriteContext,
): Promise<ApiResponse> => {
  if (!isFields(body)) throw new ApiError('BadRequest', 'a token request must be an object');
  const { isDryRun, signal } = context;
  const { namespace } = name;
  const none = new URLSearchParams();
  const asked: AdmissionAttributes = {
    ...askedIn(context),
    ...{ operation: 'CREATE', kind: accounts, subresource: 'token', namespace, name: name.name },
    object: reviewOf(name, cloneJson(fieldsAt(body, 'spec'))),
  };
  await admission.admit(asked, signal);
  const account = (await reader.get(accounts, name, undefined, none, { signal })).object;
  const spec = fieldsAt(asked.object, 'spec');
  const lifetimeSeconds = lifetimeOf(spec);
  await admission.validate(asked, signal);
  const given = listAt(spec, 'audiences').map(String);
  const audiences = given.length === 0 ? [ISSUER] : given;
  const reference = valueAt(spec, 'boundObjectRef');
  const find = async (plural: string, where: string, boundName: string): Promise<ApiObject> => {
    const kind = kinds.find('', 'v1', plural);
    if (kind === undefined) throw new Error(`${plural} are not served`);
    return (
      await reader.get(kind, { namespace: where, name: boundName }, undefined, none, { signal })
    ).object;
  };
  const order: TokenOrder = {
    audiences,
    lifetimeSeconds,
    ...(isFields(reference) ? { boundTo: await boundObject(reference, name, find) } : {}),
  };
  checkBound(name, order.boundTo);
  const { token, expiresAtMs } = isDryRun
    ? { token: '', expiresAtMs: 0 }
    : await tokens.issue(account, order);
  return jsonResponse(
    {
      ...reviewOf(name, {
        audiences,
        expirationSeconds: lifetimeSeconds,
        boundObjectRef: isFields(reference) ? reference : null,
      }),
      status: { token, expirationTimestamp: rfc3339(expiresAtMs) },
    },
    201,
  );
};

const reviewOf = ({ namespace, name }: ObjectName, spec: Fields): MutableObject => ({
  kind: 'TokenRequest',
  apiVersion: 'authentication.k8s.io/v1',
  metadata: { name, namespace, creationTimestamp: null },
  spec,
});

/** A pod's token is of the pod's account. @throws BadRequest */
const checkBound = (account: ObjectName, boundTo: ApiObject | undefined): void => {
  if (boundTo?.kind === 'Pod' && textAt(boundTo, 'spec', 'serviceAccountName') !== account.name)
    throw new ApiError(
      'BadRequest',
      `cannot bind token for serviceaccount "${account.name}" to pod running with different ` +
        'serviceaccount name.',
    );
};

const lifetimeOf = (spec: Fields): number => {
  const given = spec['expirationSeconds'] ?? DEFAULT_SECONDS;
  const at = 'spec.expirationSeconds';
  const errors =
    typeof given !== 'number' || !Number.isInteger(given)
      ? [invalid(at, given, 'must be a whole number of seconds')]
      : validateTokenSeconds(given, at);
  if (errors.length > 0)
    throw invalidError({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', errors);
  return given as number;
};

const boundObject = async (
  reference: Fields,
  account: ObjectName,
  find: (plural: string, namespace: string, name: string) => Promise<ApiObject>,
): Promise<ApiObject> => {
  const [kind, name, uid] = ['kind', 'name', 'uid'].map((key) => textAt(reference, key));
  const plural = BINDABLE.get(kind ?? '');
  if (plural === undefined || textAt(reference, 'apiVersion') !== 'v1')
    throw new ApiError(
      'BadRequest',
      `cannot bind token for serviceaccount "${account.name}" to type ` +
        `${textAt(reference, 'apiVersion')}, Kind=${kind ?? ''}`,
    );
  const object = await find(plural, plural === 'nodes' ? '' : account.namespace, name ?? '');
  if (uid !== '' && uid !== object.metadata.uid)
    throw conflict(
      plural,
      '',
      name ?? '',
      `the UID in the bound object reference (${uid ?? ''}) does not match the UID in record ` +
        `(${object.metadata.uid ?? ''}). The object might have been deleted and then recreated`,
    );
  return object;
};

const BINDABLE: ReadonlyMap<string, string> = new Map([
  ['Pod', 'pods'],
  ['Secret', 'secrets'],
  ['Node', 'nodes'],
]);
const DEFAULT_SECONDS = 3600;
