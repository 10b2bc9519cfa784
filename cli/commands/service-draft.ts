import { SERVICES, apiVersionOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { UsageError } from '../usage-error';

/** What the author says of the service; the rest follows from what is exposed. */
export interface ServiceWishes {
  readonly name?: string;
  readonly port?: string;
  readonly targetPort?: string;
  readonly protocol?: string;
  readonly type?: string;
  readonly clusterIp?: string;
  readonly externalIp?: string;
  readonly selector?: string;
  readonly labels?: string;
  readonly sessionAffinity?: string;
  readonly loadBalancerIp?: string;
}

type Labels = Readonly<Record<string, string>>;

/** Of pods, services and workloads, what of them a service is made from. */
type Exposed = ApiObject & {
  readonly spec?: {
    readonly selector?: Labels & { matchLabels?: Labels; matchExpressions?: readonly unknown[] };
    readonly template?: { readonly spec?: WithContainers };
    readonly ports?: readonly { readonly port: number; readonly protocol?: string }[];
  } & WithContainers;
};

interface WithContainers {
  readonly containers?: readonly {
    readonly ports?: readonly { readonly containerPort: number; readonly protocol?: string }[];
  }[];
}

interface KnownPort {
  readonly port: string;
  readonly protocol: string | undefined;
}

/**
 * A Service that leads to what an object is made of. Pure. Source: `kubectl expose`.
 * @throws UsageError for what has no pods to lead to, and when no port is known
 */
export const serviceDraft = (exposed: ApiObject, wishes: ServiceWishes): ApiObject => {
  const name = wishes.name ?? exposed.metadata.name.slice(0, NAME_LENGTH_MAX);
  const labels = wishes.labels === undefined ? exposed.metadata.labels : pairsOf(wishes.labels);
  const ports = portsOf(exposed, wishes);
  const { clusterIp, externalIp, loadBalancerIp, sessionAffinity, type } = wishes;
  return {
    ...{ apiVersion: apiVersionOf(SERVICES), kind: SERVICES.kind },
    metadata: { name, ...(labels === undefined ? {} : { labels }) },
    spec: {
      ...(ports.length === 0 ? {} : { ports }),
      selector: wishes.selector === undefined ? selectorOf(exposed) : pairsOf(wishes.selector),
      ...(type === undefined ? {} : { type }),
      ...(clusterIp === undefined ? {} : { clusterIP: clusterIp }),
      ...(externalIp === undefined ? {} : { externalIPs: [externalIp] }),
      ...(loadBalancerIp === undefined ? {} : { loadBalancerIP: loadBalancerIp }),
      ...(sessionAffinity === undefined ? {} : { sessionAffinity }),
    },
    status: { loadBalancer: {} },
  } as ApiObject;
};

const selectorOf = ({ kind, metadata, spec }: Exposed): Labels => {
  switch (kind) {
    case 'Pod':
      return filled(metadata.labels, 'the pod has no labels and cannot be exposed');
    case 'Service':
      return filled(spec?.selector, 'the service has no pod selector set');
    case 'ReplicationController':
      return filled(
        spec?.selector,
        'invalid replicationcontroller: no selectors, therefore cannot be exposed',
      );
    case 'Deployment':
    case 'ReplicaSet': {
      const { matchLabels, matchExpressions = [] } = spec?.selector ?? {};
      if (matchExpressions.length > 0)
        throw new UsageError("couldn't retrieve selectors via --selector flag or introspection");
      return filled(
        matchLabels,
        `invalid ${kind.toLowerCase()}: no selectors, therefore cannot be exposed`,
      );
    }
    default:
      throw new UsageError(`cannot expose a ${kind}`);
  }
};

const filled = (labels: Labels | undefined, problem: string): Labels => {
  if (labels === undefined || Object.keys(labels).length === 0) throw new UsageError(problem);
  return labels;
};

/** What `--port` lists, or every port that is declared; each by itself has no name. */
const portsOf = (exposed: Exposed, wishes: ServiceWishes): readonly object[] => {
  const declared = declaredPorts(exposed);
  const given = wishes.port?.split(',').map((port) => ({ port, protocol: undefined }));
  const ports = given ?? declared;
  if (ports.length === 0 && wishes.clusterIp !== 'None')
    throw new UsageError("couldn't find port via --port flag or introspection");
  return ports.map(({ port, protocol }, i) => ({
    ...(ports.length > 1 ? { name: `port-${i + 1}` } : {}),
    port: numberOf(port),
    protocol:
      wishes.protocol ??
      protocol ??
      declared.find((other) => other.port === port)?.protocol ??
      'TCP',
    targetPort: targetOf(wishes.targetPort ?? port),
  }));
};

const declaredPorts = ({ kind, spec }: Exposed): readonly KnownPort[] => {
  const ports =
    kind === 'Service'
      ? (spec?.ports ?? []).map(({ port, protocol }) => [port, protocol] as const)
      : (spec?.template?.spec ?? spec)?.containers?.flatMap(({ ports: own = [] }) =>
          own.map(({ containerPort, protocol }) => [containerPort, protocol] as const),
        );
  return (ports ?? []).map(([port, protocol]) => ({ port: String(port), protocol }));
};

const numberOf = (text: string): number => {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port;
  throw new UsageError(`--port takes ports, joined by commas: ${text}`);
};

const targetOf = (text: string): number | string => (/^\d{1,5}$/.test(text) ? Number(text) : text);

/** `a=b,c=d` */
const pairsOf = (text: string): Labels =>
  Object.fromEntries(
    text.split(',').map((pair) => {
      const [key = '', value, ...rest] = pair.split('=');
      if (key === '' || value === undefined || rest.length > 0)
        throw new UsageError(`unexpected label spec: ${pair}`);
      return [key, value];
    }),
  );

/** Names of services are labels of DNS. */
const NAME_LENGTH_MAX = 63;
