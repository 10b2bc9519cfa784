import { apiVersionOf } from '../../../../api/resources';
import { matchesLabelSelector } from '../../../../api/selectors';
import type {
  ApiObject,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../../api/types';
import type { KindRegistry } from '../../kinds/kind-registry';
import { storeNameOf, type ServedKind } from '../../kinds/served-kind';
import type { AdmissionReader } from '../admission-reader';
import { convertObject } from '../webhooks';

type ParamKind = NonNullable<NonNullable<ValidatingAdmissionPolicy['spec']>['paramKind']>;
type ParamRef = NonNullable<NonNullable<ValidatingAdmissionPolicyBinding['spec']>['paramRef']>;

/** The policy or its binding cannot be carried out as it is. The message is upstream's. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export interface ParamsDeps {
  readonly reader: AdmissionReader;
  readonly kinds: Pick<KindRegistry, 'kinds'>;
}

/**
 * What a policy is evaluated with, once for each; `undefined` stands for no parameters. None at all
 * when the binding lets be what its parameters are not there for. @throws ConfigurationError
 */
export const findParams = async (
  { reader, kinds }: ParamsDeps,
  paramKind: ParamKind | undefined,
  ref: ParamRef | undefined,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly (ApiObject | undefined)[]> => {
  if (paramKind === undefined) return [undefined];
  const kind = kinds.kinds.find(
    ({ resource, virtual }) =>
      virtual === undefined &&
      resource.kind === paramKind.kind &&
      apiVersionOf(resource) === paramKind.apiVersion,
  );
  if (kind === undefined)
    throw new ConfigurationError(
      `failed to find resource referenced by paramKind: '${paramKind.apiVersion ?? ''}, Kind=${paramKind.kind ?? ''}'`,
    );
  if (ref === undefined) return [undefined];
  const found = await lookUp(reader, kind, ref, namespaceFor(kind, ref, namespace), signal);
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny')
    throw new ConfigurationError(
      'no params found for policy binding with `Deny` parameterNotFoundAction',
    );
  return found;
};

const namespaceFor = ({ resource }: ServedKind, ref: ParamRef, asked: string): string => {
  const named = ref.namespace ?? '';
  if (!resource.isNamespaced) {
    if (named === '') return '';
    throw new ConfigurationError(
      'paramRef.namespace must not be provided for a cluster-scoped `paramKind`',
    );
  }
  if (named !== '' || asked !== '') return named || asked;
  throw new ConfigurationError(
    'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
  );
};

const lookUp = async (
  reader: AdmissionReader,
  kind: ServedKind,
  { name = '', selector }: ParamRef,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly ApiObject[]> => {
  const resource = storeNameOf(kind);
  // What is stored may be of another version than the policy names.
  const asNamed = async (found: ApiObject): Promise<ApiObject> =>
    found.apiVersion === apiVersionOf(kind.resource)
      ? found
      : convertObject(found, kind, { signal });
  if (name !== '') {
    const found = await reader.find(resource, namespace, name, signal);
    return found === undefined ? [] : [await asNamed(found)];
  }
  if (selector === undefined) return [];
  await reader.ready(resource, signal);
  const all = reader.list(resource, namespace === '' ? undefined : namespace);
  return (await Promise.all(all.map(asNamed))).filter(({ metadata }) =>
    matchesLabelSelector(selector, metadata.labels),
  );
};
