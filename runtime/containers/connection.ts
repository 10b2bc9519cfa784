import { connect, type Socket } from 'node:net';

import { systemClock } from '../../lib/clock';
import { encodeFrame, FrameReader, type Frame } from './frames';

export interface ConnectionHandlers {
  onFrame(frame: Frame): void;
  /** Called once, after the last frame. */
  onClose(): void;
}

/** A connection to the launcher or a monitor: frames both ways. */
export class FrameConnection {
  private readonly reader = new FrameReader();
  private closed = false;
  /** Senders that wait for room: in a list of our own, since an emitter warns of more than ten. */
  private blocked: (() => void)[] = [];

  private constructor(
    private readonly socket: Socket,
    public handlers: ConnectionHandlers,
  ) {
    socket.on('data', (piece) => this.receive(piece));
    socket.on('drain', () => this.unblock());
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  /**
   * Who listens at a path of this machine is reached at once, or not at all, unless very many come at
   * the same time: then it takes its turn, for some seconds at most. @throws
   */
  static async open(path: string, handlers: ConnectionHandlers): Promise<FrameConnection> {
    const giveUpMs = systemClock.monotonicMs() + CROWD_MAX_MS;
    for (;;) {
      try {
        return await FrameConnection.tryOpen(path, handlers);
      } catch (error) {
        const isCrowded = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (!isCrowded || systemClock.monotonicMs() > giveUpMs) throw error;
        await systemClock.sleep(CROWD_PAUSE_MS);
      }
    }
  }

  private static tryOpen(path: string, handlers: ConnectionHandlers): Promise<FrameConnection> {
    // eslint-disable-next-line no-restricted-syntax -- connect(2) does not wait
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new FrameConnection(socket, handlers));
      });
    });
  }

  /** Resolves when the kernel or the send buffer has room for more, or the connection is closed. */
  send(frame: Uint8Array): Promise<void> {
    if (this.closed || this.socket.write(frame)) return Promise.resolve();
    // eslint-disable-next-line no-restricted-syntax -- the closing of the connection ends it
    return new Promise((resolve) => this.blocked.push(resolve));
  }

  get isClosed(): boolean {
    return this.closed;
  }

  sendType(type: number): void {
    void this.send(encodeFrame(type));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    this.unblock();
    this.handlers.onClose();
  }

  private unblock(): void {
    const { blocked } = this;
    this.blocked = [];
    for (const resolve of blocked) resolve();
  }

  private receive(piece: Buffer): void {
    let frames: Frame[];
    try {
      frames = this.reader.push(piece);
    } catch {
      this.close();
      return;
    }
    for (const frame of frames) if (!this.closed) this.handlers.onFrame(frame);
  }
}

/** The queue of a listener is full: connect(2) does not wait for room in it. */
const CROWD_MAX_MS = 10_000;
const CROWD_PAUSE_MS = 10;
