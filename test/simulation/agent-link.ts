import type { NodesServer } from '../../control-plane/nodes';
import type { NodeHolder } from '../../control-plane/nodes/node-identity';
import { onAbort } from '../../lib/async/on-abort';
import { Channel } from '../../lib/async/channel';
import type { MessageStream, Transport } from '../../node-agent/session/transport';
import { SessionRequest, SessionResponse } from '../../proto/gen/dhow/agent/v1/agent';

type Faults = 'none' | 'cut' | 'silent';

/** More than a session ever has under way: what overflows it is a fault. */
const CAPACITY = 10_000;

/** A node's way to the server, in memory; messages are encoded as gRPC would. It can fail. */
export class AgentLink implements Transport {
  private state: Faults = 'none';
  private readonly open = new Set<{ break(): void }>();

  constructor(
    private readonly server: Pick<NodesServer, 'serve'>,
    private readonly holder: () => NodeHolder,
    private readonly address: string,
  ) {}

  /** Everything open breaks, and nothing can be opened. */
  cut(): void {
    this.state = 'cut';
    this.drop();
  }

  /** Everything open breaks; what is opened after is new. */
  drop(): void {
    for (const stream of [...this.open]) stream.break();
  }

  /** Nothing gets through any more in either direction, and nobody is told. */
  silence(): void {
    this.state = 'silent';
  }

  /** What was silent is broken: bytes were lost on it. */
  mend(): void {
    if (this.state === 'silent') this.cut();
    this.state = 'none';
  }

  openSession(signal: AbortSignal): MessageStream<SessionRequest, SessionResponse> {
    const up = new Channel<SessionRequest>(CAPACITY);
    const down = new Channel<SessionResponse>(CAPACITY);
    const carries = () => this.state !== 'silent';
    const stream = {
      break: () => {
        up.fail(new Error('the link is cut'));
        down.fail(new Error('the link is cut'));
        this.open.delete(stream);
      },
    };
    this.open.add(stream);
    if (this.state === 'cut') stream.break();
    onAbort(signal, () => stream.break());
    const call = {
      destroyed: false,
      write: (message: SessionResponse) => {
        const bytes = SessionResponse.encode(message).finish();
        if (carries()) down.push(SessionResponse.decode(bytes));
        return true;
      },
      once: () => undefined,
      removeListener: () => undefined,
    };
    const messages = up as AsyncIterator<SessionRequest, undefined>;
    const served = async () =>
      this.server.serve(this.holder(), { call, messages, peer: this.address });
    served().then(
      () => down.end(),
      (error: unknown) => down.fail(error),
    );
    return {
      messages: down as AsyncIterator<SessionResponse, undefined>,
      write: (message) => {
        const bytes = SessionRequest.encode(message).finish();
        if (carries()) up.push(SessionRequest.decode(bytes));
        return Promise.resolve();
      },
      end: () => up.end(),
      cancel: () => stream.break(),
    };
  }

  openAttach(): never {
    throw new Error('nothing is attached to in the simulation');
  }

  renew(): Promise<never> {
    return Promise.reject(new Error('no certificates in the simulation'));
  }

  close(): void {
    this.drop();
  }
}
