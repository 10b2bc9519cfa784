import { SERVICE_ACCOUNTS, pathOf } from '../../api/resources';
import { ApiError } from '../../api/errors';
import type { ApiObject } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { formatViews, outputFormat } from '../output/format';
import { UsageError } from '../usage-error';
import { createNew, type CreateOptions } from './create';
import {
  ingressDraft,
  newServiceDraft,
  type IngressWishes,
  type NewServiceWishes,
} from './network-drafts';
import { budgetDraft, quotaDraft, type BudgetWishes, type QuotaWishes } from './policy-drafts';

export const createBudget = (
  context: CliContext,
  name: string,
  options: CreateOptions & BudgetWishes,
): Promise<void> => createNew(context, budgetDraft(name, options), options);

export const createQuota = (
  context: CliContext,
  name: string,
  options: CreateOptions & QuotaWishes,
): Promise<void> => createNew(context, quotaDraft(name, options), options, 'quota');

export const createIngress = (
  context: CliContext,
  name: string,
  options: CreateOptions & IngressWishes,
): Promise<void> => createNew(context, ingressDraft(name, options), options);

interface ServiceOptions extends CreateOptions, Pick<NewServiceWishes, 'tcp' | 'externalName'> {
  readonly clusterip?: string;
  readonly nodePort?: number;
}

const createServiceOf =
  (type: NewServiceWishes['type']) =>
  (context: CliContext, name: string, options: ServiceOptions): Promise<void> => {
    const { clusterip, ...wishes } = options;
    const made = newServiceDraft(name, {
      ...{ ...wishes, type },
      ...(clusterip === undefined ? {} : { clusterIp: clusterip }),
    });
    return createNew(context, made, options, `${type} service`);
  };

export const createClusterIp = createServiceOf('ClusterIP');
export const createNodePort = createServiceOf('NodePort');
export const createLoadBalancer = createServiceOf('LoadBalancer');
export const createExternalName = createServiceOf('ExternalName');

export interface TokenOptions {
  readonly output?: string;
  readonly audience?: readonly string[];
  readonly duration?: string;
  readonly boundObjectKind?: string;
  readonly boundObjectName?: string;
  readonly boundObjectUid?: string;
}

/** Prints a token of a service account. Source: `kubectl create token`. */
export const createToken = async (
  context: CliContext,
  account: string,
  options: TokenOptions,
): Promise<void> => {
  const format = outputFormat(options.output);
  const { client, namespace = 'default', signal, terminal } = context;
  const path = `${pathOf(SERVICE_ACCOUNTS, namespace, account)}/token`;
  const body = stringifyJson(tokenRequest(options));
  const request = await client
    .json<TokenRequest>({ method: 'POST', path, body, signal })
    .catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
      throw new UsageError(`failed to create token: ${error.message}`, { cause: error });
    });
  const { token = '' } = request.status ?? {};
  if (token === '') throw new UsageError('failed to create token: no token in server response');
  const table = () => `${token}\n`;
  const names = [`tokenrequest.authentication.k8s.io/${request.metadata.name}`];
  terminal.out.write(formatViews({ document: request, names, table }, format));
};

type TokenRequest = ApiObject & { readonly status?: { readonly token?: string } };

/** Pure. @throws UsageError */
export const tokenRequest = (options: TokenOptions): object => {
  const { audience, duration = '0', boundObjectName = '', boundObjectUid = '' } = options;
  const ms = durationMs('--duration', duration);
  if (ms < 0) throw new UsageError('--duration must be greater than or equal to 0');
  if (ms % 1000 !== 0)
    throw new UsageError('--duration cannot be expressed in units less than seconds');
  const kind = options.boundObjectKind ?? '';
  const apiVersion = BOUND.get(kind);
  if (kind === '' && boundObjectName !== '')
    throw new UsageError('--bound-object-name can only be set if --bound-object-kind is provided');
  if (kind === '' && boundObjectUid !== '')
    throw new UsageError('--bound-object-uid can only be set if --bound-object-kind is provided');
  if (kind !== '' && apiVersion === undefined)
    throw new UsageError(
      `supported --bound-object-kind values are ${[...BOUND.keys()].join(', ')}`,
    );
  if (kind !== '' && boundObjectName === '')
    throw new UsageError('--bound-object-name is required if --bound-object-kind is provided');
  const uid = boundObjectUid === '' ? {} : { uid: boundObjectUid };
  return {
    ...{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {} },
    spec: {
      ...(audience === undefined ? {} : { audiences: audience }),
      ...(ms === 0 ? {} : { expirationSeconds: ms / 1000 }),
      ...(kind === ''
        ? {}
        : { boundObjectRef: { apiVersion, kind, name: boundObjectName, ...uid } }),
    },
  };
};

const BOUND: ReadonlyMap<string, string> = new Map([
  ['Node', 'v1'],
  ['Pod', 'v1'],
  ['Secret', 'v1'],
]);
