import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { EndpointSlice, Ingress, Secret, Service } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import { describeError, type Log } from '../../../lib/log';
import { hostPort } from '../../../lib/net/ip';
import { sharedTcpSocket } from '../../../runtime/network/shared-socket';
import type { Service as CompanionService } from '../../companion/companion';
import { RouteTable } from '../routing/route-table';
import { CertificateTable } from './certificate-table';
import { makeDefaultCertificate, type CertificatePem } from './default-certificate';
import { EndpointTable } from './endpoint-table';
import { PROXY_LIMITS, type ProxyLimits } from './limits';
import { Proxy } from './proxy';

/** Where a node's ingress listens; port 0: not at all. */
export interface IngressSettings {
  /** Of the node. */
  readonly addresses: readonly string[];
  readonly httpPort: number;
  readonly httpsPort: number;
}

interface IngressServiceDeps {
  readonly limits: ProxyLimits;
  readonly certificate: CertificatePem;
  readonly clock: Clock;
  readonly log: Log;
}

/** Serves the cluster's ingresses at the addresses of a node. */
export class IngressService implements CompanionService<IngressSettings> {
  private readonly ingresses = new Map<string, Ingress>();
  private readonly secrets = new Map<string, Secret>();
  private readonly endpoints = new EndpointTable();
  private readonly certificates: CertificateTable;
  private readonly proxy: Proxy;
  /** By scheme, address and port. */
  private readonly servers = new Map<string, Server>();
  private routes = new RouteTable([]);
  private isDirty = false;
  private settings: IngressSettings = { addresses: [], httpPort: 0, httpsPort: 0 };

  private constructor(private readonly deps: IngressServiceDeps) {
    const { limits, clock, log } = deps;
    this.certificates = new CertificateTable((key) => this.secrets.get(key), log);
    const { endpoints } = this;
    const [routes, httpsPort] = [() => this.routes, () => this.settings.httpsPort];
    this.proxy = new Proxy({ routes, httpsPort, endpoints, limits, clock, log });
  }

  static async create(deps: {
    readonly clock: Clock;
    readonly log: Log;
    readonly limits?: Partial<ProxyLimits>;
  }): Promise<IngressService> {
    const certificate = await makeDefaultCertificate(deps.clock);
    const limits = { ...PROXY_LIMITS, ...deps.limits };
    return new IngressService({ ...deps, limits, certificate });
  }

  get counts(): object {
    return this.proxy.counts;
  }

  useSettings(settings: IngressSettings): void {
    this.settings = settings;
  }

  setRow(resource: string, key: string, value: unknown): void {
    switch (resource) {
      case 'services':
        this.endpoints.setService(key, value as Service | undefined);
        return;
      case 'endpointslices':
        this.endpoints.setSlice(key, value as EndpointSlice | undefined);
        return;
      case 'ingresses':
        this.isDirty = true;
        put(this.ingresses, key, value as Ingress | undefined);
        return;
      case 'ingresssecrets':
        put(this.secrets, key, value as Secret | undefined);
    }
  }

  keysOf(resource: string): Iterable<string> {
    switch (resource) {
      case 'services':
        return this.endpoints.serviceKeys;
      case 'endpointslices':
        return this.endpoints.sliceKeys;
      case 'ingresses':
        return this.ingresses.keys();
      default:
        return this.secrets.keys();
    }
  }

  settle(): void {
    if (!this.isDirty) return;
    this.isDirty = false;
    this.routes = new RouteTable(this.ingresses.values());
    this.certificates.useIngresses(this.ingresses.values());
  }

  async serve(): Promise<string | undefined> {
    const { addresses, httpPort, httpsPort } = this.settings;
    const places = addresses.flatMap((address): readonly Place[] => [
      { scheme: 'http', address, port: httpPort },
      { scheme: 'https', address, port: httpsPort },
    ]);
    const wanted = new Map(
      places.filter(({ port }) => port !== 0).map((place) => [placeKeyOf(place), place]),
    );
    for (const [key, server] of this.servers)
      if (!wanted.has(key)) {
        server.close();
        this.servers.delete(key);
      }
    const problems: string[] = [];
    for (const [key, place] of wanted)
      if (!this.servers.has(key)) problems.push(...(await this.listen(key, place)));
    return problems.length === 0 ? undefined : problems.join('; ');
  }

  async close(): Promise<void> {
    this.proxy.isClosing = true;
    for (const server of this.servers.values()) server.close();
    this.servers.clear();
  }

  private async listen(key: string, { scheme, address, port }: Place): Promise<readonly string[]> {
    const server = this.serverFor(scheme);
    try {
      await listenAt(server, sharedTcpSocket(address, port));
      this.servers.set(key, server);
      return [];
    } catch (error) {
      server.close();
      return [`cannot listen at ${hostPort(address, port)}: ${describeError(error)}`];
    }
  }

  private serverFor(scheme: Scheme): Server {
    const { limits, certificate } = this.deps;
    const options = {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      // A body may take its time, so long as it moves.
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(limits.headersMs, CHECK_MS),
      noDelay: true,
    };
    const server =
      scheme === 'http'
        ? createServer(options)
        : createTlsServer({
            ...{ ...options, ...certificate, ALPNProtocols: ['http/1.1'], minVersion: 'TLSv1.2' },
            handshakeTimeout: HANDSHAKE_MS,
            SNICallback: (name, done) => done(null, this.certificates.contextFor(name)),
          });
    server.maxConnections = limits.connections;
    server.timeout = limits.idleMs;
    server.on('request', (inbound, answer) => void this.proxy.handle(inbound, answer, scheme));
    server.on(
      'upgrade',
      (inbound: IncomingMessage, socket: Socket, early: Buffer) =>
        void this.proxy.upgrade(inbound, socket, early, scheme),
    );
    return server;
  }
}

type Scheme = 'http' | 'https';

interface Place {
  readonly scheme: Scheme;
  readonly address: string;
  readonly port: number;
}

const placeKeyOf = ({ scheme, address, port }: Place): string => `${scheme} ${address} ${port}`;

const listenAt = async (server: Server, fd: number): Promise<void> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', () => undefined);
};

const put = <T>(map: Map<string, T>, key: string, value: T | undefined): void => {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
};

const CHECK_MS = 5_000;
const HANDSHAKE_MS = 10_000;
