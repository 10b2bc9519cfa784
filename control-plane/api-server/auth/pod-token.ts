import { SERVICE_ACCOUNTS } from '../../../api/resources';
import type { Pod } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import { ISSUER, type ServiceAccountTokens } from './service-account-tokens';

export interface PodTokenOrder {
  /** `''`: for the API. */
  readonly audience: string;
  readonly lifetimeSeconds: number;
}

/** A token of the pod's account that ends with the pod. @throws NotFound when there is no account */
export const issuePodToken = async (
  { client, tokens }: { readonly client: ApiClient; readonly tokens: ServiceAccountTokens },
  pod: Pod,
  { audience, lifetimeSeconds }: PodTokenOrder,
  signal: AbortSignal,
): Promise<string> => {
  const { namespace = '' } = pod.metadata;
  const name = pod.spec.serviceAccountName ?? 'default';
  const account = await client.get(SERVICE_ACCOUNTS, { namespace, name }, signal);
  const audiences = [audience === '' ? ISSUER : audience];
  const { token } = await tokens.issue(account, { audiences, lifetimeSeconds, boundTo: pod });
  return token;
};
