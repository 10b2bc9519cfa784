import { connect, type Socket } from 'node:net';

import { keyOf, type ApiObject } from '../../api/types';
import type { Clock } from '../../lib/clock';
import type { RowTable } from '../session/network-tables';
import { receiveMessages, sendMessage, type CompanionState, type ToCompanion } from './messages';

/** What a companion is told of. */
export interface Feed<Settings> {
  /** By the names that the companion knows them by. */
  readonly tables: Readonly<Record<string, RowTable<ApiObject>>>;
  /** Undefined: they are not known yet, and nothing is told. */
  readonly settings: () => Settings | undefined;
  /** Calls `listener` when the settings may be others; returns the undo. */
  readonly onSettings: (listener: () => void) => () => void;
}

export interface LinkDeps<Settings> {
  readonly feed: Feed<Settings>;
  readonly clock: Clock;
  readonly onState: (state: CompanionState) => void;
}

/** Tells a companion all rows, and then what changes, until it ends or is silent for too long. */
export const feedCompanion = async <Settings>(
  path: string,
  deps: LinkDeps<Settings>,
  signal: AbortSignal,
): Promise<void> => {
  const socket = connect(path);
  const link = new CompanionLink(socket, deps);
  try {
    await link.run(signal);
  } finally {
    socket.destroy();
  }
};

class CompanionLink<Settings> {
  private heardMs: number;
  private readonly ended: Promise<void>;
  /** What is still to be told: what changes again before it is told once. */
  private readonly changed: ReadonlyMap<string, Set<string>>;
  private mustTellAll = true;
  /** Begun, and not all of it told. */
  private isTellingAll = false;
  private failure: Error | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly deps: LinkDeps<Settings>,
  ) {
    this.changed = new Map(Object.keys(deps.feed.tables).map((name) => [name, new Set()]));
    this.heardMs = deps.clock.monotonicMs();
    this.ended = new Promise((resolve) => {
      socket.on('error', (error) => (this.failure = error));
      socket.once('close', () => resolve());
    });
    receiveMessages(socket, (state) => {
      this.heardMs = deps.clock.monotonicMs();
      deps.onState(state as CompanionState);
    });
    socket.on('connect', () => this.tell());
    socket.on('drain', () => this.tell());
  }

  async run(signal: AbortSignal): Promise<void> {
    const { feed, clock } = this.deps;
    const undo = [
      ...Object.entries(feed.tables).map(([resource, table]) =>
        table.onChange((keys) => {
          for (const key of keys) this.changed.get(resource)?.add(key);
          this.tell();
        }),
      ),
      feed.onSettings(() => {
        this.mustTellAll = true;
        this.tell();
      }),
    ];
    try {
      while (!signal.aborted && !this.socket.destroyed) {
        if (clock.monotonicMs() - this.heardMs > SILENCE_MAX_MS) throw new Error('it is silent');
        await Promise.race([this.ended, clock.sleep(LOOK_MS, signal)]);
      }
      if (!signal.aborted && this.failure !== undefined) throw this.failure;
    } finally {
      for (const forget of undo) forget();
    }
  }

  /** As much as there is room for; the rest when there is room again. */
  private tell(): void {
    const { socket } = this;
    if (socket.connecting || socket.destroyed) return;
    if (this.mustTellAll && !this.begin()) return;
    for (const [resource, keys] of this.changed)
      for (const key of keys) {
        if (socket.writableNeedDrain) return;
        keys.delete(key);
        sendMessage(socket, this.row(resource, key));
      }
    if (!this.isTellingAll) return;
    this.isTellingAll = false;
    sendMessage(socket, { op: 'end' });
  }

  /** Every row is still to be told from now on; false while the settings are not known. */
  private begin(): boolean {
    const { feed } = this.deps;
    const settings = feed.settings();
    if (settings === undefined) return false;
    this.mustTellAll = false;
    this.isTellingAll = true;
    sendMessage(this.socket, { op: 'begin', settings });
    for (const [resource, table] of Object.entries(feed.tables))
      for (const object of table.list()) this.changed.get(resource)?.add(keyOf(object));
    return true;
  }

  private row(resource: string, key: string): ToCompanion<Settings> {
    const value = this.deps.feed.tables[resource]?.get(key);
    return { op: 'row', resource, key, ...(value === undefined ? {} : { value }) };
  }
}

const LOOK_MS = 1_000;
/** It says every five seconds that it lives. */
const SILENCE_MAX_MS = 20_000;
