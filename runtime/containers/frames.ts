/** Messages to and from launcher and monitors; runtime/launcher/frames.h holds the same numbers. */
export const FrameType = {
  create: 1,
  sandbox: 2,
  unmount: 3,
  ping: 4,
  start: 10,
  kill: 11,
  exec: 12,
  attach: 13,
  resize: 14,
  stdin: 15,
  closeStdin: 16,
  rotateLog: 17,
  subscribe: 18,
  ok: 30,
  error: 31,
  state: 32,
  stdout: 33,
  stderr: 34,
  exit: 35,
  oom: 36,
} as const;

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

export interface StateFrame {
  readonly status: 'created' | 'running' | 'exited';
  readonly pid: number;
  readonly startedAtMs: number;
}

export interface ExitFrame {
  readonly exitCode: number;
  readonly signalNumber: number;
  readonly oomKilled: boolean;
  readonly timedOut: boolean;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly startError: string;
}

export interface ErrorFrame {
  readonly step: string;
  readonly message: string;
}

export const encodeFrame = (type: number, payload: Uint8Array = EMPTY): Buffer => {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(type, 0);
  frame.writeUInt32LE(payload.length, 4);
  frame.set(payload, HEADER_BYTES);
  return frame;
};

/** A frame whose payload is a few 32-bit numbers. */
export const encodeNumbers = (type: number, ...numbers: readonly number[]): Buffer => {
  const payload = Buffer.allocUnsafe(4 * numbers.length);
  numbers.forEach((number, index) => payload.writeUInt32LE(number >>> 0, 4 * index));
  return encodeFrame(type, payload);
};

/** Puts frames together from pieces of a stream. @throws Error on an oversize frame. */
export class FrameReader {
  private buffered: Buffer = Buffer.alloc(0);

  push(piece: Buffer): Frame[] {
    this.buffered = this.buffered.length === 0 ? piece : Buffer.concat([this.buffered, piece]);
    const frames: Frame[] = [];
    let start = 0;
    while (this.buffered.length - start >= HEADER_BYTES) {
      const length = this.buffered.readUInt32LE(start + 4);
      if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes is too large`);
      const end = start + HEADER_BYTES + length;
      if (this.buffered.length < end) break;
      const payload = this.buffered.subarray(start + HEADER_BYTES, end);
      frames.push({ type: this.buffered.readUInt32LE(start), payload });
      start = end;
    }
    this.buffered = this.buffered.subarray(start);
    return frames;
  }
}

export const decodeState = (payload: Buffer): StateFrame => ({
  status: STATUSES[payload.readUInt32LE(0) - 1] ?? 'exited',
  pid: payload.readUInt32LE(4),
  startedAtMs: Number(payload.readBigUInt64LE(8)),
});

export const decodeExit = (payload: Buffer): ExitFrame => ({
  exitCode: payload.readUInt32LE(0),
  signalNumber: payload.readUInt32LE(4),
  oomKilled: payload.readUInt32LE(8) !== 0,
  timedOut: payload.readUInt32LE(12) !== 0,
  startedAtMs: Number(payload.readBigUInt64LE(16)),
  finishedAtMs: Number(payload.readBigUInt64LE(24)),
  startError: textUntilNul(payload.subarray(32)),
});

export const decodeError = (payload: Buffer): ErrorFrame => {
  const step = textUntilNul(payload.subarray(4));
  return { step, message: textUntilNul(payload.subarray(4 + Buffer.byteLength(step) + 1)) };
};

const textUntilNul = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString();
};

const STATUSES = ['created', 'running', 'exited'] as const;
const EMPTY = Buffer.alloc(0);
const HEADER_BYTES = 8;
const MAX_FRAME_BYTES = 1 << 20;
