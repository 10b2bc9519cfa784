import { status } from '@grpc/grpc-js';

import type { Clock } from '../../lib/clock';
import { grpcError } from './node-identity';
import type { NodeSession } from './node-session';

interface Entry {
  readonly agentId: string;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  session: NodeSession | undefined;
}

/** At most one session per node; the newest of the same agent wins, another agent is refused. */
export class SessionTable {
  private readonly entries = new Map<string, Entry>();
  private lastNumber: bigint;

  constructor(clock: Pick<Clock, 'now'>) {
    // Wall time, because it grows over restarts too: a number never names two sessions.
    this.lastNumber = BigInt(clock.now()) * 1000n;
  }

  nextNumber(): bigint {
    return ++this.lastNumber;
  }

  get(nodeName: string): NodeSession | undefined {
    return this.entries.get(nodeName)?.session;
  }

  /** @throws ALREADY_EXISTS while another agent has the node's name. */
  refuseOther(nodeName: string, agentId: string): void {
    const entry = this.entries.get(nodeName);
    if (entry === undefined || entry.agentId === agentId) return;
    throw grpcError(
      status.ALREADY_EXISTS,
      `node "${nodeName}" is connected already, by another agent: ` +
        'stop that one or choose another name with --name',
    );
  }

  /** Reserves the name, after ending an earlier session of the same agent. */
  async claim(nodeName: string, agentId: string) {
    for (;;) {
      this.refuseOther(nodeName, agentId);
      const before = this.entries.get(nodeName);
      if (before === undefined) break;
      this.abort(before, grpcError(status.ABORTED, 'the agent has connected again'));
      await before.ended;
    }
    const controller = new AbortController();
    let leave = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      leave = () => {
        if (this.entries.get(nodeName) === entry) this.entries.delete(nodeName);
        resolve();
      };
    });
    const entry: Entry = { agentId, controller, ended, session: undefined };
    this.entries.set(nodeName, entry);
    return { signal: controller.signal, leave };
  }

  attach(nodeName: string, session: NodeSession, signal: AbortSignal): void {
    const entry = this.entries.get(nodeName);
    if (entry !== undefined) entry.session = session;
    if (signal.aborted) session.close(signal.reason as Error);
  }

  close(nodeName: string, reason: Error): void {
    const entry = this.entries.get(nodeName);
    if (entry !== undefined) this.abort(entry, reason);
  }

  closeAll(reason: Error): void {
    for (const entry of this.entries.values()) this.abort(entry, reason);
  }

  async drained(): Promise<void> {
    await Promise.all([...this.entries.values()].map(({ ended }) => ended));
  }

  private abort(entry: Entry, reason: Error): void {
    entry.controller.abort(reason);
    entry.session?.close(reason);
  }
}
