import { notFound } from '../../../api/errors';
import { SERVICE_ACCOUNTS } from '../../../api/resources';
import type { Pod } from '../../../api/types';
import type { AdmissionReader } from '../admission/admission-reader';
import { ISSUER, type ServiceAccountTokens } from './service-account-tokens';

export interface PodTokenOrder {
  /** `''`: for the API. */
  readonly audience: string;
  readonly lifetimeSeconds: number;
}

export interface PodTokenDeps {
  /**
   * The account may be as the cache has it: each pod that starts would cost a round trip to the store
   * otherwise, and a token ends with its account whenever that was read.
   */
  readonly find: AdmissionReader['find'];
  readonly tokens: ServiceAccountTokens;
}

/** A token of the pod's account that ends with the pod. @throws NotFound when there is no account */
export const issuePodToken = async (
  { find, tokens }: PodTokenDeps,
  pod: Pod,
  { audience, lifetimeSeconds }: PodTokenOrder,
  signal: AbortSignal,
): Promise<string> => {
  const { namespace = '' } = pod.metadata;
  const name = pod.spec.serviceAccountName ?? 'default';
  const { plural, group } = SERVICE_ACCOUNTS;
  const account = await find(plural, namespace, name, signal);
  if (account === undefined) throw notFound(plural, group, name);
  const audiences = [audience === '' ? ISSUER : audience];
  const { token } = await tokens.issue(account, { audiences, lifetimeSeconds, boundTo: pod });
  return token;
};
