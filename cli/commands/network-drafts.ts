import { INGRESSES, SERVICES } from '../../api/resources';
import { UsageError } from '../usage-error';
import { draft, type Draft } from './drafts';

export interface NewServiceWishes {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** `80:8080`, or `80` for both. */
  readonly tcp?: readonly string[];
  readonly clusterIp?: string;
  readonly nodePort?: number;
  readonly externalName?: string;
}

/** A Service of the pods that are called as it is, as `kubectl create service` makes it. Pure. @throws UsageError */
export const newServiceDraft = (name: string, wishes: NewServiceWishes): Draft => {
  const { type, tcp = [], clusterIp = '', nodePort, externalName } = wishes;
  if (type === 'ExternalName' && externalName === undefined)
    throw new UsageError('required flag(s) "external-name" not set');
  const needsPort = type !== 'ExternalName' && clusterIp !== 'None';
  if (needsPort && tcp.length === 0)
    throw new UsageError('at least one tcp port specifier must be provided');
  const ports = tcp.map((text) => ({
    name: text.replace(':', '-'),
    ...(nodePort === undefined || nodePort === 0 ? {} : { nodePort }),
    ...portsIn(text),
    protocol: 'TCP',
  }));
  const labels = { app: name };
  const spec = {
    ...(clusterIp === '' ? {} : { clusterIP: clusterIp }),
    ...(externalName === undefined ? {} : { externalName }),
    ...(ports.length === 0 ? {} : { ports }),
    ...{ selector: labels, type },
  };
  return draft(SERVICES, name, { spec, status: { loadBalancer: {} } }, labels);
};

const portsIn = (text: string): { readonly port: number; readonly targetPort: number | string } => {
  const at = text.indexOf(':');
  const port = portNumber(at < 0 ? text : text.slice(0, at));
  const target = at < 0 ? '' : text.slice(at + 1);
  if (target === '') return { port, targetPort: port };
  return { port, targetPort: /^\d+$/.test(target) ? portNumber(target) : target };
};

/** In kubectl's words, which are its language's. */
const portNumber = (text: string): number => {
  const problem = !/^\d+$/.test(text)
    ? 'invalid syntax'
    : text.length > 9 || Number(text) > PORT_MAX
      ? 'value out of range'
      : undefined;
  if (problem !== undefined)
    throw new UsageError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${problem}`);
  return Number(text);
};

const PORT_MAX = 65_535;

export interface IngressWishes {
  readonly class?: string;
  /** `foo.com/path*=svc:8080,tls=secret` */
  readonly rule?: readonly string[];
  /** `svc:8080` */
  readonly defaultBackend?: string;
  readonly annotation?: readonly string[];
}

/** An Ingress as `kubectl create ingress` makes it. Pure. @throws UsageError */
export const ingressDraft = (name: string, wishes: IngressWishes): Draft => {
  const { rule: rules = [], defaultBackend = '', annotation = [] } = wishes;
  if (rules.length === 0 && defaultBackend === '') throw new UsageError(NOTHING_GIVEN);
  const parsed = rules.map(parseRule);
  const annotations = Object.fromEntries(annotation.map(parseAnnotation));
  const tls = tlsOf(parsed);
  const { metadata, ...rest } = draft(INGRESSES, name, {
    spec: {
      ...(defaultBackend === '' ? {} : { defaultBackend: parseDefaultBackend(defaultBackend) }),
      ...(wishes.class === undefined ? {} : { ingressClassName: wishes.class }),
      ...(parsed.length === 0 ? {} : { rules: rulesByHost(parsed) }),
      ...(tls.length === 0 ? {} : { tls }),
    },
    status: { loadBalancer: {} },
  });
  return {
    ...rest,
    metadata: { ...metadata, ...(annotation.length === 0 ? {} : { annotations }) },
  };
};

interface Rule {
  readonly host: string;
  readonly path: string;
  readonly backend: object;
  /** Absent: without TLS; empty: of no secret. */
  readonly secret: string | undefined;
}

const parseRule = (text: string): Rule => {
  const { host, path, service, port, tls, secret } = RULE.exec(text)?.groups ?? {};
  if (path === undefined)
    throw new UsageError(
      `rule ${text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]`,
    );
  return {
    ...{ host: host ?? '', path, backend: backendOf(service ?? '', port ?? '') },
    secret: tls === undefined ? undefined : (secret ?? ''),
  };
};

/** In the order in which the hosts are named first. */
const rulesByHost = (rules: readonly Rule[]): readonly object[] =>
  [...new Set(rules.map(({ host }) => host))].map((host) => ({
    ...(host === '' ? {} : { host }),
    http: { paths: rules.filter((rule) => rule.host === host).map(pathOfRule) },
  }));

const pathOfRule = ({ path, backend }: Rule): object => ({
  backend,
  path: path.endsWith('*') ? path.slice(0, -1) : path,
  pathType: path.endsWith('*') ? 'Prefix' : 'Exact',
});

const tlsOf = (rules: readonly Rule[]): readonly object[] => {
  const secrets = new Set(rules.flatMap(({ secret }) => (secret === undefined ? [] : [secret])));
  return [...secrets].flatMap((secretName) => {
    const own = rules.filter(({ secret, host }) => secret === secretName && host !== '');
    const hosts = [...new Set(own.map(({ host }) => host))];
    if (hosts.length === 0 && secretName === '') return [];
    return [
      { ...(hosts.length === 0 ? {} : { hosts }), ...(secretName === '' ? {} : { secretName }) },
    ];
  });
};

const backendOf = (name: string, port: string): object => ({
  service: { name, port: /^\d{1,9}$/.test(port) ? { number: Number(port) } : { name: port } },
});

const parseDefaultBackend = (text: string): object => {
  const [, service, port] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  if (service === undefined || port === undefined)
    throw new UsageError('default-backend should be in format servicename:serviceport');
  return backendOf(service, port);
};

const parseAnnotation = (text: string): readonly [key: string, value: string] => {
  const at = text.indexOf('=');
  if (at <= 0)
    throw new UsageError(`annotation ${text} is invalid and should be in format key=[value]`);
  return [text.slice(0, at), text.slice(at + 1)];
};

const RULE =
  /^(?<host>[\w*.-]*)(?<path>\/[^=]*)=(?<service>[\w.-]+):(?<port>[\w-]+)(?<tls>,tls(?:=(?<secret>[\w.-]*))?)?$/;
const NOTHING_GIVEN =
  'not enough information provided: every ingress has to either specify a default-backend ' +
  '(which catches all traffic) or a list of rules (which catch specific paths)';
