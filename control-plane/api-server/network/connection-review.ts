import { ApiError, notFound } from '../../../api/errors';
import {
  decideConnection,
  type ConnectionEnd,
  type DirectionVerdict,
} from '../../../api/network-policies';
import {
  NETWORKING_GROUP,
  type ConnectionAnswer,
  type ConnectionAttempt,
} from '../../../api/network-policies/review';
import { NETWORK_POLICIES, PODS, SERVICES, type Resource } from '../../../api/resources';
import { isOfType } from '../../../api/service-endpoints';
import { keyOf, nameKey, type Service } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import { familyOf } from '../../../lib/net/ip';
import type { Authorizer } from '../auth/authorizer';
import type { User } from '../auth/user';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { readValue } from '../rest/body';
import { askedNamespace } from '../rest/create-only';
import { isFields } from '../kinds/mutable';
import { clusterOf, type KnownCluster, type NodePortOwner } from './known-cluster';
import { questionIn, type CheckedQuestion } from './question';
import {
  addressProblem,
  endOfPod,
  targetsInPod,
  targetsOfService,
  type Asked,
  type TargetWorld,
  type Targets,
} from './targets';

export const CONNECTION_REVIEWS: CreateOnlyResource = {
  group: NETWORKING_GROUP,
  version: 'v1',
  kind: 'ConnectionReview',
  plural: 'connectionreviews',
  isNamespaced: true,
};

export interface ConnectionReviewDeps {
  readonly client: Pick<ApiClient, 'list'>;
  readonly authorizer: Authorizer;
}

/**
 * POST connectionreviews: could a connection be opened now, and what says so? For those who may read
 * both ends; policies are named to those who may list them. Undefined for other requests.
 */
export const serveConnectionReview = async (
  request: ApiRequest,
  deps: ConnectionReviewDeps,
): Promise<ApiResponse | undefined> => {
  const namespace = askedNamespace(request, CONNECTION_REVIEWS);
  if (namespace === undefined) return undefined;
  const { group, version, kind } = CONNECTION_REVIEWS;
  const access = new Access(request.user, deps.authorizer);
  access.require('create', CONNECTION_REVIEWS, namespace);
  const body = (await readValue(request)) ?? {};
  if (!isFields(body)) throw new ApiError('BadRequest', `a ${kind} must be an object`);
  const spec = questionIn(body, namespace);
  const cluster = await clusterOf(deps.client, request.signal);
  const status = answer(spec, cluster, access);
  const metadata = { creationTimestamp: null, namespace };
  return jsonResponse({ kind, apiVersion: `${group}/${version}`, metadata, spec, status }, 201);
};

/** What the asker may read. */
class Access {
  constructor(
    private readonly user: User,
    private readonly authorizer: Authorizer,
  ) {}

  /** @throws Forbidden */
  require(
    verb: string,
    { group, plural }: Pick<Resource, 'group' | 'plural'>,
    namespace: string,
    name = '',
  ): void {
    const asked = { verb, group, resource: plural, subresource: '', namespace, name };
    this.authorizer.authorize(this.user, asked);
  }

  may(verb: string, { group, plural }: Resource, namespace: string, name = ''): boolean {
    const asked = { verb, group, resource: plural, subresource: '', namespace, name };
    return this.authorizer.isAllowed(this.user, asked);
  }
}

type Question = CheckedQuestion;

const answer = (spec: Question, cluster: KnownCluster, access: Access): ConnectionAnswer => {
  const found = targetsOf(spec, cluster, access);
  const source = sourceOf(spec, cluster, access);
  const unmet = new Set<string>();
  const attempts = found.targets.flatMap(({ end: to, port, protocol }): ConnectionAttempt[] => {
    if (source.end === undefined) return [];
    const from = towards(source.end, to);
    if (from === undefined) {
      unmet.add(`the source has no address of the family of ${to.address}`);
      return [];
    }
    const verdict = decideConnection({ from, to, protocol, port }, cluster.world);
    const { subject } = to;
    const isShown =
      subject !== undefined &&
      subject.isService !== true &&
      access.may('get', PODS, subject.namespace, subject.name);
    return [
      {
        ...(isShown ? { pod: nameKey(subject) } : {}),
        ...{ address: to.address, port, protocol, reachable: verdict.isAllowed },
        egress: shownTo(verdict.egress, access),
        ingress: shownTo(verdict.ingress, access),
      },
    ];
  });
  const isOpen = attempts.length > 0 && attempts.every(({ reachable }) => reachable);
  const problems = [...source.problems, ...found.problems, ...unmet];
  return { reachable: isOpen && problems.length === 0, attempts, problems, notes: found.notes };
};

/** The source by the address that the target sees; undefined when it has none of that family. */
const towards = (from: ConnectionEnd, { address }: ConnectionEnd): ConnectionEnd | undefined => {
  const family = familyOf(address);
  if (familyOf(from.address) === family) return from;
  const own = from.subject?.addresses.find((each) => familyOf(each) === family);
  return own === undefined ? undefined : { ...from, address: own };
};

const sourceOf = (
  { from }: Question,
  { pod, endAt }: KnownCluster,
  access: Access,
): { readonly end?: ConnectionEnd; readonly problems: readonly string[] } => {
  if (from.pod === undefined) return { end: endAt(from.address ?? ''), problems: [] };
  access.require('get', PODS, from.namespace, from.pod);
  const found = pod(from.namespace, from.pod);
  if (found === undefined) throw notFound(PODS.plural, '', from.pod);
  const end = endOfPod(found);
  return end === undefined ? { problems: [addressProblem(found)] } : { end, problems: [] };
};

const targetsOf = ({ to, protocol }: Question, cluster: KnownCluster, access: Access): Targets => {
  const asked = {
    ...(to.port === undefined ? {} : { port: to.port }),
    ...(protocol === undefined ? {} : { protocol }),
  };
  if (to.pod !== undefined) {
    access.require('get', PODS, to.namespace, to.pod);
    const pod = cluster.pod(to.namespace, to.pod);
    if (pod === undefined) throw notFound(PODS.plural, '', to.pod);
    return targetsInPod(pod, asked);
  }
  if (to.service !== undefined) {
    access.require('get', SERVICES, to.namespace, to.service);
    const service = cluster.service(to.namespace, to.service);
    if (service === undefined) throw notFound(SERVICES.plural, '', to.service);
    return throughService(service, asked, cluster);
  }
  const address = to.address ?? '';
  const service = cluster.serviceAt(address);
  if (service !== undefined) {
    const { namespace = '', name } = service.metadata;
    access.require('get', SERVICES, namespace, name);
    return throughService(service, asked, cluster);
  }
  const { port } = to;
  if (typeof port !== 'number')
    throw new ApiError(
      'BadRequest',
      'spec.to.port: an address has no names of ports: say a number',
    );
  const owner = cluster.portAtNode(address, port, protocol ?? 'TCP');
  if (owner !== undefined)
    return throughNode(owner, { address, port, protocol: protocol ?? 'TCP' }, cluster, access);
  const end = cluster.endAt(address);
  return { targets: [{ end, port, protocol: protocol ?? 'TCP' }], problems: [], notes: [] };
};

/** A node leads what comes to a port of a Service on to the Service's pods. */
const throughNode = (
  { service, port: own }: NodePortOwner,
  { address, port, protocol }: Required<Asked> & { readonly address: string },
  cluster: KnownCluster,
  access: Access,
): Targets => {
  const { namespace = '', name } = service.metadata;
  access.require('get', SERVICES, namespace, name);
  const { targets, problems, notes } = targetsOfService(service, { port: own, protocol }, cluster);
  const node = cluster.nodeAt(address) ?? '';
  const leads = `port ${port} of node ${node} leads to service ${keyOf(service)}, port ${own}`;
  const local = `service ${keyOf(service)} leads who comes from outside the cluster to its pods on node ${node} alone`;
  const isLocal = service.spec?.externalTrafficPolicy === 'Local';
  return { targets, problems, notes: [...notes, leads, ...(isLocal ? [local] : [])] };
};

/** The resolver answers on every node, at the address of its Service. */
const throughService = (service: Service, asked: Asked, cluster: KnownCluster): Targets => {
  const { clusterIP = '', ports = [] } = service.spec ?? {};
  const end = cluster.endAt(clusterIP);
  if (end.subject?.isService !== true) return targetsOfService(service, asked, cluster);
  const own: TargetWorld = {
    ...cluster,
    slicesOf: () => [
      {
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: '' } },
        addressType: isOfType(clusterIP, 'IPv6') ? 'IPv6' : 'IPv4',
        endpoints: [{ addresses: [clusterIP] }],
        ports,
      },
    ],
  };
  return targetsOfService(service, asked, own);
};

/** Policies are named to those who may list them where they are. */
const shownTo = (verdict: DirectionVerdict, access: Access): DirectionVerdict => {
  const shown = (key: string) => {
    const [namespace = ''] = key.split('/');
    return access.may('list', NETWORK_POLICIES, namespace) ? key : `${namespace}/(hidden)`;
  };
  switch (verdict.because) {
    case 'Rule':
      return { ...verdict, policy: shown(verdict.policy) };
    case 'NoRule':
      return {
        ...verdict,
        policies: verdict.policies.map(({ policy, rules }) => {
          const name = shown(policy);
          return { policy: name, rules: name === policy ? rules : [] };
        }),
      };
    case 'NotIsolated':
    case 'OwnNode':
    case 'Itself':
    case 'Exempt':
      return verdict;
  }
};
