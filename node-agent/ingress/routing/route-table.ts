import { byAge, isSslRedirected } from '../../../api/ingresses';
import type { Ingress } from '../../../api/types';
import { prefixOf, wildcardOf, type RequestTarget } from './host-and-path';

/** A port of a Service, by number or name. */
export interface ServiceBackend {
  readonly namespace: string;
  readonly name: string;
  readonly port: number | string;
}

/** Undefined: a backend that cannot be served, of a kind that is not known here. */
export type Backend = ServiceBackend | undefined;

/** Where a request goes: `undefined` when no rule is for it. */
export interface Route {
  readonly backend: Backend;
  /** A plain request is told to come by TLS. */
  readonly isSslRedirected: boolean;
}

type GivenBackend = NonNullable<NonNullable<Ingress['spec']>['defaultBackend']>;

/**
 * Which requests go where, by all ingresses together, as the API says it: rules of the very host before those
 * of a wildcard, and these before those of no host; of those the longest path, Exact before Prefix; of two
 * that are equal the one of the older ingress. What no rule is for goes to the default backend of an ingress
 * that names the host, else to that of any. Immutable.
 */
export class RouteTable {
  private readonly hosts = new Map<string, HostRoutes>();
  private readonly defaults = new Map<string, Route>();

  constructor(ingresses: Iterable<Ingress>) {
    for (const ingress of [...ingresses].sort(byAge)) this.add(ingress);
  }

  route({ host, path }: RequestTarget): Route | undefined {
    const names = namesFor(host);
    for (const name of names) {
      const found = this.hosts.get(name)?.route(path);
      if (found !== undefined) return found;
    }
    for (const name of [...names, ANY]) {
      const found = this.defaults.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private add(ingress: Ingress): void {
    const { spec } = ingress;
    const routeTo = (backend: GivenBackend): Route => ({
      backend: backendOf(ingress.metadata.namespace ?? '', backend),
      isSslRedirected: isSslRedirected(ingress),
    });
    const fallback = spec?.defaultBackend && routeTo(spec.defaultBackend);
    if (fallback !== undefined) addOnce(this.defaults, ANY, fallback);
    for (const { host = '', http } of spec?.rules ?? []) {
      const name = host.toLowerCase();
      if (fallback !== undefined) addOnce(this.defaults, name, fallback);
      for (const { path = '/', pathType, backend } of http?.paths ?? [])
        this.routesOf(name).add(path, pathType === 'Exact', routeTo(backend));
    }
  }

  private routesOf(name: string): HostRoutes {
    const routes = this.hosts.get(name) ?? new HostRoutes();
    this.hosts.set(name, routes);
    return routes;
  }
}

/** Rules of one host. */
class HostRoutes {
  private readonly exact = new Map<string, Route>();
  private readonly prefixes = new Map<string, Route>();
  private prefixMaxLength = 0;

  add(path: string, isExact: boolean, route: Route): void {
    if (isExact) {
      addOnce(this.exact, path, route);
      return;
    }
    const prefix = prefixOf(path);
    addOnce(this.prefixes, prefix, route);
    this.prefixMaxLength = Math.max(this.prefixMaxLength, prefix.length);
  }

  route(path: string): Route | undefined {
    const exact = this.exact.get(path);
    if (exact !== undefined) return exact;
    // Ends where elements end; a path may have thousands, and no rule is as long.
    for (let end = this.startOf(path); end >= 0; end = end === 0 ? -1 : lastSlash(path, end)) {
      const found = this.prefixes.get(path.slice(0, end));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private startOf(path: string): number {
    if (path.length <= this.prefixMaxLength) return path.length;
    return path.lastIndexOf('/', this.prefixMaxLength);
  }
}

const lastSlash = (path: string, before: number): number => path.lastIndexOf('/', before - 1);

/** The hosts of rules that may be for a host, those that come first, first. */
const namesFor = (host: string): readonly string[] => {
  const wildcard = wildcardOf(host);
  return wildcard === undefined ? [host, ''] : [host, wildcard, ''];
};

const backendOf = (namespace: string, { service }: GivenBackend): Backend => {
  const port = service?.port?.name ?? service?.port?.number;
  if (service === undefined || port === undefined) return undefined;
  return { namespace, name: service.name, port: portOf(port) };
};

const portOf = (port: unknown): number | string => (typeof port === 'string' ? port : Number(port));

const addOnce = (map: Map<string, Route>, key: string, route: Route): void => {
  if (!map.has(key)) map.set(key, route);
};

/** No host is called so. */
const ANY = '/';
