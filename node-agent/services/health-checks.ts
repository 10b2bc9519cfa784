import { createServer, type Server, type ServerResponse } from 'node:http';

import { stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import type { HealthCheck } from './wanted-ports';

/**
 * Tells load balancers in front of the nodes whether this one has ready endpoints of a service whose
 * traffic is to stay local: 200 or 503, and upstream's body (pkg/proxy/healthcheck/service_health.go).
 */
export class HealthChecks implements AsyncDisposable {
  private readonly servers = new Map<number, Server>();
  private readonly checks = new Map<number, HealthCheck>();
  private readonly refused = new Set<number>();
  private isHealthy = true;

  constructor(private readonly log: Log) {}

  /** Whether what the checks stand for is in the kernel; when it is not, no node has endpoints. */
  setHealthy(isHealthy: boolean): void {
    this.isHealthy = isHealthy;
  }

  /** Makes exactly these be served; a port that somebody else has is tried again at the next call. */
  async sync(checks: Iterable<HealthCheck>): Promise<void> {
    const wanted = new Map([...checks].map((check) => [check.port, check]));
    for (const [port, server] of this.servers)
      if (!wanted.has(port)) {
        this.servers.delete(port);
        this.checks.delete(port);
        await closed(server);
      }
    for (const [port, check] of wanted) {
      this.checks.set(port, check);
      if (!this.servers.has(port)) await this.serve(port);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sync([]);
  }

  private async serve(port: number): Promise<void> {
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (_request, response) =>
      this.answer(port, response),
    );
    server.maxConnections = MAX_CONNECTIONS;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        // At all addresses, of both families where there are both.
        server.listen(port, resolve);
      });
      this.servers.set(port, server);
      this.refused.delete(port);
    } catch (error) {
      if (!this.refused.has(port))
        this.log.warn({ port, err: describeError(error) }, 'cannot serve a health check');
      this.refused.add(port);
    }
    server.on('error', () => undefined);
  }

  private answer(port: number, response: ServerResponse): void {
    const check = this.checks.get(port);
    const count = check?.localEndpointCount ?? 0;
    response.writeHead(count > 0 && this.isHealthy ? 200 : 503, {
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
      'x-load-balancing-endpoint-weight': String(count),
    });
    response.end(
      stringifyJson({
        service: { namespace: check?.namespace ?? '', name: check?.name ?? '' },
        localEndpoints: count,
        serviceProxyHealthy: this.isHealthy,
      }),
    );
  }
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 100;
