import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import { ApiError } from '../../api/errors';
import {
  MessageWriter,
  firstWithin,
  messagesOf,
  nextMessage,
} from '../../lib/async/message-stream';
import { onAbort } from '../../lib/async/on-abort';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import type { RelayRequest, RelayResponse } from '../../proto/gen/dhow/peer/v1/peer';
import { grpcError } from './node-identity';
import type { NodeStreams } from './node-streams';
import type { OpenedStream } from './stream-broker';

export type RelayCall = ServerDuplexStream<RelayRequest, RelayResponse>;

export interface RelayServiceDeps {
  /** Of this server: what another asks for is never asked of a third. */
  readonly local: NodeStreams;
  readonly clock: Clock;
}

/** Streams of this server's nodes for other servers. */
export class RelayService {
  private openCount = 0;

  constructor(private readonly deps: RelayServiceDeps) {}

  /** Carries one, until either end of it is over. @throws an error with a gRPC status */
  async serve(call: RelayCall): Promise<void> {
    if (this.openCount >= RELAYS_MAX)
      throw grpcError(status.RESOURCE_EXHAUSTED, 'too many streams are relayed');
    this.openCount++;
    try {
      await this.relay(call);
    } finally {
      this.openCount--;
    }
  }

  private async relay(call: RelayCall): Promise<void> {
    const { local, clock } = this.deps;
    const gone = new AbortController();
    for (const event of ['cancelled', 'close']) call.once(event, () => gone.abort());
    const messages = messagesOf<RelayRequest>(call);
    const first = (await firstWithin(messages, FIRST_MESSAGE_MS, clock))?.message;
    if (first?.$case !== 'open')
      throw grpcError(status.INVALID_ARGUMENT, 'a relayed stream begins with what is asked');
    const writer = new MessageWriter<RelayResponse>(call, clock, gone.signal);
    const { nodeName, stream } = first.value;
    let opened: OpenedStream;
    try {
      opened = await local.open(nodeName, stream?.kind, gone.signal);
    } catch (error) {
      if (gone.signal.aborted) return;
      const { reason, message } = asApiError(error);
      await writer.write({ message: { $case: 'refused', value: { reason, message } } });
      return;
    }
    await this.carry(opened, messages, writer, gone.signal);
  }

  private async carry(
    opened: OpenedStream,
    messages: AsyncIterator<RelayRequest, undefined>,
    writer: MessageWriter<RelayResponse>,
    gone: AbortSignal,
  ): Promise<void> {
    const undo = onAbort(gone, opened.cancel);
    try {
      await writer.write({ message: { $case: 'opened', value: {} } });
      await using tasks = new TaskGroup(gone);
      const input = new MessageWriter(opened.call, this.deps.clock, tasks.signal);
      tasks.run(async () => {
        for (;;) {
          const next = await nextMessage(messages, tasks.signal);
          // Whoever has asked is done, and the agent need not go on.
          if (next.done === true) break;
          const { message } = next.value;
          // That the agent takes no more shows in what comes from it.
          if (message?.$case === 'input') await input.write(message.value).catch(() => undefined);
        }
      });
      for (;;) {
        const next = await opened.messages.next();
        if (next.done === true) break;
        await writer.write({ message: { $case: 'output', value: next.value } });
      }
    } catch (error) {
      if (gone.aborted) return;
      throw grpcError(status.UNAVAILABLE, asApiError(error).message);
    } finally {
      undo();
      opened.call.end();
    }
    if (opened.call.cancelled)
      throw grpcError(status.UNAVAILABLE, 'the connection to the node broke');
  }
}

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError('ServiceUnavailable', 'the connection to the node broke', { cause: error });

const FIRST_MESSAGE_MS = 15_000;
const RELAYS_MAX = 2_048;
