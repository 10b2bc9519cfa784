import { describeError } from '../../../lib/describe-error';
import type { Clock } from '../../../lib/clock';
import { sharedTcpSocket } from '../../../runtime/network/shared-socket';
import type { NameServer } from './name-server';
import { listenByTcp } from './tcp-listener';
import { listenByUdp, type Listener } from './udp-listener';

interface ListenersDeps {
  readonly names: Pick<NameServer, 'answer'>;
  readonly port: number;
  readonly clock: Clock;
}

/** Answers at some addresses, by UDP and TCP. */
export class Listeners {
  private readonly open = new Map<string, readonly Listener[]>();

  constructor(private readonly deps: ListenersDeps) {}

  /** What stands in the way of the first address that cannot be listened at. */
  async listenAt(addresses: readonly string[]): Promise<string | undefined> {
    for (const [address, listeners] of this.open)
      if (!addresses.includes(address)) {
        for (const listener of listeners) listener.close();
        this.open.delete(address);
      }
    let problem: string | undefined;
    for (const address of addresses)
      try {
        if (!this.open.has(address)) this.open.set(address, await this.listen(address));
      } catch (error) {
        problem ??= describeError(error);
      }
    return problem;
  }

  /** Both, or neither. TCP first: whoever binds for datagrams has them all from then on. */
  private async listen(address: string): Promise<readonly Listener[]> {
    const { names, port, clock } = this.deps;
    const tcp = await listenByTcp(sharedTcpSocket(address, port), { names, clock });
    try {
      return [tcp, await listenByUdp(address, port, names)];
    } catch (error) {
      tcp.close();
      throw error;
    }
  }
}
