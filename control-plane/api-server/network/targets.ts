import { subjectOf, type ConnectionEnd, type Protocol } from '../../../api/network-policies';
import type { ConnectionQuestion } from '../../../api/network-policies/review';
import { containersIn } from '../../../api/pod-in';
import { isPodReady, isTerminal } from '../../../api/pods';
import { formatLabelSelector, matchesLabelSelector } from '../../../api/selectors';
import { keyOf, type EndpointSlice, type Pod, type Service } from '../../../api/types';

/** What could be connected to. */
export interface Target {
  readonly end: ConnectionEnd;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface Targets {
  readonly targets: readonly Target[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export interface TargetWorld {
  readonly endAt: (address: string) => ConnectionEnd;
  readonly podsIn: (namespace: string) => readonly Pod[];
  readonly slicesOf: (service: Service) => readonly EndpointSlice[];
}

export type Asked = Pick<ConnectionQuestion, 'protocol'> & { readonly port?: number | string };

export const endOfPod = (pod: Pod): ConnectionEnd | undefined => {
  const subject = subjectOf(pod);
  const [address] = subject.addresses;
  return address === undefined ? undefined : { address, subject };
};

/** Why a pod has no address; `''` when it has one. */
export const addressProblem = (pod: Pod): string => {
  if (endOfPod(pod) !== undefined) return '';
  const { phase = 'Pending' } = pod.status;
  return isTerminal(pod)
    ? `pod ${keyOf(pod)} has ended: it is ${phase}`
    : `pod ${keyOf(pod)} has no address yet: it is ${phase}`;
};

/** The ports of a pod that are meant. Any number may be asked for: nothing has to be declared. */
export const targetsInPod = (pod: Pod, { port, protocol }: Asked): Targets => {
  const end = endOfPod(pod);
  if (end === undefined) return problem(addressProblem(pod));
  const declared = portsOf(pod).filter(
    (each) => protocol === undefined || each.protocol === protocol,
  );
  const meant = declared.filter(
    (each) => port === undefined || each.port === port || each.name === port,
  );
  const targets = meant.map((each) => ({ end, port: each.port, protocol: each.protocol }));
  const notes = isPodReady(pod) ? [] : [`pod ${keyOf(pod)} is not ready`];
  if (targets.length > 0) return { targets, problems: [], notes };
  if (typeof port === 'number')
    return {
      targets: [{ end, port, protocol: protocol ?? 'TCP' }],
      problems: [],
      notes: [
        ...notes,
        `no container of pod ${keyOf(pod)} declares port ${port}/${protocol ?? 'TCP'}: ` +
          'nothing may listen there',
      ],
    };
  return problem(
    port === undefined
      ? `pod ${keyOf(pod)} declares no port: say which one`
      : `pod ${keyOf(pod)} names no port "${port}"`,
  );
};

/** Where a Service would lead to. */
export const targetsOfService = (service: Service, asked: Asked, world: TargetWorld): Targets => {
  const { type = 'ClusterIP', externalName = '', ports = [] } = service.spec ?? {};
  if (type === 'ExternalName')
    return problem(`service ${keyOf(service)} is a name for ${externalName}, outside the cluster`);
  if (service.spec?.clusterIP === 'None' && typeof asked.port === 'number')
    return targetsOfHeadless(service, asked.port, asked.protocol, world);
  const meant = ports.filter(
    ({ name, port, protocol = 'TCP' }) =>
      (asked.port === undefined || asked.port === port || asked.port === name) &&
      (asked.protocol === undefined || asked.protocol === protocol),
  );
  if (meant.length === 0) return problem(noSuchPort(service, asked));
  const found = meant.map((port) => targetsOfPort(service, port, world));
  return {
    targets: found.flatMap(({ targets }) => targets),
    problems: found.flatMap(({ problems }) => problems),
    notes: [],
  };
};

/** Its name leads to its pods themselves: nobody translates a port, and any that they listen at will do. */
const targetsOfHeadless = (
  service: Service,
  port: number,
  protocol: Protocol | undefined,
  world: TargetWorld,
): Targets => {
  const { ports = [] } = service.spec ?? {};
  const named = ports.find(
    (each) => each.port === port && (protocol ?? 'TCP') === (each.protocol ?? 'TCP'),
  );
  const slices = world.slicesOf(service);
  const led = slices.flatMap(({ ports: own = [] }) =>
    own.flatMap((each) => ((each.name ?? '') === (named?.name ?? '') ? [each.port ?? 0] : [])),
  );
  const others = [...new Set(named === undefined ? [] : led)].filter((each) => each !== port);
  if (others.length > 0)
    return problem(
      `service ${keyOf(service)} is headless: nobody translates its port ${port}, ` +
        `and its pods listen at ${others.join(', ')}`,
    );
  const ready = slices.flatMap(({ endpoints }) =>
    endpoints.filter(({ conditions }) => conditions?.ready !== false),
  );
  const addresses = new Set(ready.flatMap((each) => each.addresses.slice(0, 1)));
  if (addresses.size === 0)
    return problem(
      `service ${keyOf(service)} has no ready endpoint: ${whyNoEndpoint(service, port, world)}`,
    );
  const targets = [...addresses].map((address) => ({
    end: world.endAt(address),
    ...{ port, protocol: protocol ?? 'TCP' },
  }));
  return { targets, problems: [], notes: [] };
};

type ServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

const targetsOfPort = (
  service: Service,
  { name = '', protocol = 'TCP', port: own, targetPort = own }: ServicePort,
  world: TargetWorld,
): Targets => {
  const targets = world.slicesOf(service).flatMap(({ endpoints, ports = [] }) => {
    const port = ports.find((each) => (each.name ?? '') === name)?.port;
    if (port === undefined) return [];
    const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false);
    return ready.flatMap(({ addresses }) =>
      addresses
        .slice(0, 1)
        .map((address) => ({ end: world.endAt(address), port, protocol: protocol as Protocol })),
    );
  });
  if (targets.length > 0) return { targets, problems: [], notes: [] };
  return problem(
    `service ${keyOf(service)} has no ready endpoint for port ${own}: ` +
      whyNoEndpoint(service, targetPort, world),
  );
};

const whyNoEndpoint = (
  { metadata, spec }: Service,
  targetPort: number | string,
  { podsIn }: TargetWorld,
): string => {
  const { selector = {} } = spec ?? {};
  if (Object.keys(selector).length === 0)
    return 'it has no selector, and no EndpointSlice of its has one';
  const matchLabels = { ...selector };
  const pods = podsIn(metadata.namespace ?? '').filter(({ metadata: { labels } }) =>
    matchesLabelSelector({ matchLabels }, labels),
  );
  if (pods.length === 0)
    return `no pod matches its selector ${formatLabelSelector({ matchLabels })}`;
  const ready = pods.filter((pod) => isPodReady(pod));
  if (ready.length === 0)
    return (
      `none of its pods is ready: ` +
      pods
        .slice(0, NAMED_MAX)
        .map(({ metadata: { name }, status: { phase = 'Pending' } }) => `${name} (${phase})`)
        .join(', ')
    );
  const isNamed = (pod: Pod) => portsOf(pod).some(({ name }) => name === targetPort);
  if (typeof targetPort === 'string' && !ready.some(isNamed))
    return `no container of its pods names a port "${targetPort}"`;
  return 'its EndpointSlices have none yet';
};

const noSuchPort = (service: Service, { port, protocol }: Asked): string => {
  const { ports = [] } = service.spec ?? {};
  const has = ports.map(
    (each) => `${each.port}/${each.protocol ?? 'TCP'}${each.name ? ` (${each.name})` : ''}`,
  );
  const wanted = [port, protocol].filter((each) => each !== undefined).join('/');
  return `service ${keyOf(service)} has no port ${wanted}: it has ${has.join(', ') || 'none'}`;
};

const portsOf = ({ spec }: Pod) =>
  containersIn(spec).flatMap(([{ ports = [] }]) =>
    ports.map(({ name = '', containerPort, protocol = 'TCP' }) => ({
      name,
      port: containerPort,
      protocol: protocol as Protocol,
    })),
  );

const problem = (text: string): Targets => ({ targets: [], problems: [text], notes: [] });

const NAMED_MAX = 5;
