import { request, type ClientRequest } from 'node:http';
import type { Clock } from '../../../lib/clock';
import { hostPort } from '../../../lib/net/ip';
import type { Endpoint } from './endpoint-table';
import { KeptConnections } from './kept-connections';
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
  private readonly agent: KeptConnections;

  constructor(
    private readonly limits: ProxyLimits,
    private readonly clock: Clock,
  ) {
    this.agent = new KeptConnections({ idleMs: limits.idleMs, onIdle: giveUp, clock });
  }

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
    for (const endpoint of endpoints)
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
  ): ClientRequest | Promise<ClientRequest> {
    const { connectMs, headerBytes: maxHeaderSize, idleMs } = this.limits;
    // One that becomes something else is of no use to the next.
    const agent = isUpgrade ? false : this.agent;
    const outbound = request({ host, port, method, path, headers, maxHeaderSize, agent });
    if (isUpgrade) outbound.setTimeout(idleMs, () => giveUp(outbound));
    // It has one already: there is nothing to wait for.
    if (outbound.reusedSocket) return outbound;
    return new Promise((resolve, reject) => {
      const late = () =>
        outbound.destroy(new UpstreamTimeout(`no connection to ${hostPort(host, port)}`));
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

const giveUp = (outbound: ClientRequest): void => {
  outbound.destroy(new UpstreamTimeout('no answer'));
};
