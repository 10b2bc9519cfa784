import { Agent, request, type ClientRequest } from 'node:http';
import type { Clock } from '../../../lib/clock';
import type { Endpoint } from './endpoint-table';
import type { ProxyLimits } from './limits';

/** What an endpoint is asked, but for the body. */
export interface UpstreamHead {
  readonly method: string;
  readonly path: string;
  /** With the lengths and encodings of the body. */
  readonly headers: readonly string[];
}

/** Connections to endpoints, which are used again. */
export class Upstreams {
  private readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: FREE_MS });

  constructor(
    private readonly limits: ProxyLimits,
    private readonly clock: Clock,
  ) {}

  /**
   * A request on a connection to the first endpoint that takes one; nothing of it has been sent yet.
   * @throws the last endpoint's refusal
   */
  async open(
    head: UpstreamHead,
    endpoints: readonly Endpoint[],
    { isUpgrade = false } = {},
  ): Promise<ClientRequest> {
    let failure: unknown;
    for (const endpoint of endpoints.slice(0, this.limits.attempts))
      try {
        return await this.connect(head, endpoint, isUpgrade);
      } catch (error) {
        failure = error;
      }
    throw failure;
  }

  close(): void {
    this.agent.destroy();
  }

  private connect(
    { method, path, headers }: UpstreamHead,
    { address: host, port }: Endpoint,
    isUpgrade: boolean,
  ): Promise<ClientRequest> {
    const { connectMs, headerBytes } = this.limits;
    const outbound = request({
      ...{ host, port, method, path, headers, maxHeaderSize: headerBytes },
      // One that becomes something else is of no use to the next.
      agent: isUpgrade ? false : this.agent,
    });
    return new Promise((resolve, reject) => {
      const late = () => outbound.destroy(new UpstreamTimeout(`no connection to ${host}:${port}`));
      const callOff = this.clock.after(connectMs, late);
      const onError = (error: Error) => {
        callOff();
        reject(error);
      };
      const onConnected = () => {
        callOff();
        outbound.off('error', onError);
        resolve(outbound);
      };
      outbound.once('error', onError);
      outbound.once('socket', (socket) => {
        if (socket.connecting) socket.once('connect', onConnected);
        else onConnected();
      });
    });
  }
}

/** An endpoint that says nothing for too long. */
export class UpstreamTimeout extends Error {}

/** Shorter than most servers wait: the one that closes should be us. */
const FREE_MS = 4_000;
