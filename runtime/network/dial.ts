import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { systemClock, type Clock } from '../../lib/clock';
import type { IpAddress } from '../../lib/net/ip';
import { inNamespace } from './namespace';
import { socketAddress } from './socket-address';

/** Nobody answers at the port; `message` says why. */
export class DialError extends Error {
  override readonly name = 'DialError';
}

export interface DialOptions {
  /** The namespace to connect from, and to; undefined for that of this process. */
  readonly netnsPath: string | undefined;
  readonly port: number;
  readonly limitMs: number;
  readonly clock?: Clock;
}

/**
 * Connects to a port on the loopback of a network namespace: what listens on all addresses, or there
 * alone, answers. By IPv4, then by IPv6. @throws DialError
 */
export const dial = async (options: DialOptions, signal: AbortSignal): Promise<Socket> => {
  try {
    return await connectTo(LOOPBACK_4, options, signal);
  } catch (error) {
    if (!(error instanceof DialError) || signal.aborted) throw error;
    return connectTo(LOOPBACK_6, options, signal).catch((second: unknown) => {
      // What most would have meant is the more telling failure.
      throw second instanceof DialError ? error : second;
    });
  }
};

const connectTo = async (
  ip: IpAddress,
  { netnsPath, port, limitMs, clock = systemClock }: DialOptions,
  signal: AbortSignal,
): Promise<Socket> => {
  const refused = (errno: number) =>
    new DialError(`failed to connect to localhost:${port}: ${getSystemErrorName(-errno)}`);
  const address = socketAddress(ip, port);
  const entered =
    netnsPath === undefined
      ? { result: begin(address) }
      : inNamespace(netnsPath, () => begin(address));
  if (entered.errno !== undefined) throw refused(entered.errno);
  const { fd, errno } = entered.result;
  if (fd < 0) throw refused(errno);
  try {
    const endMs = clock.monotonicMs() + limitMs;
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 100)) {
      const failure = errorOf(fd);
      if (failure !== 0) throw refused(failure);
      if (isConnected(fd)) break;
      if (clock.monotonicMs() > endMs) throw refused(ETIMEDOUT);
      await clock.sleep(waitMs, signal);
      signal.throwIfAborted();
    }
    return new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};

/** The kernel connects by itself: nothing here waits. */
const begin = (address: Buffer): { readonly fd: number; readonly errno: number } => {
  const fd = libc.socket(address.readUInt16LE(0), SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return { fd, errno: koffi.errno() };
  if (libc.connect(fd, address, address.length) === 0) return { fd, errno: 0 };
  const errno = koffi.errno();
  if (errno === EINPROGRESS) return { fd, errno: 0 };
  closeSync(fd);
  return { fd: -1, errno };
};

const errorOf = (fd: number): number => {
  const value = Buffer.alloc(4);
  const length = Buffer.from([4, 0, 0, 0]);
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length);
  return value.readInt32LE(0);
};

const isConnected = (fd: number): boolean => {
  const length = Buffer.from([128, 0, 0, 0]);
  return libc.getpeername(fd, Buffer.alloc(128), length) === 0;
};

const library = koffi.load(null);
const libc = {
  socket: library.func('int socket(int, int, int)') as (...args: number[]) => number,
  connect: library.func('int connect(int, void *, uint32_t)') as (
    fd: number,
    address: Buffer,
    length: number,
  ) => number,
  getsockopt: library.func('int getsockopt(int, int, int, void *, void *)') as (
    ...args: (number | Buffer)[]
  ) => number,
  getpeername: library.func('int getpeername(int, void *, void *)') as (
    fd: number,
    address: Buffer,
    length: Buffer,
  ) => number,
};

const LOOPBACK_4 = { family: 4, bits: 0x7f00_0001n } as const;
const LOOPBACK_6 = { family: 6, bits: 1n } as const;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 0x80801;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const EINPROGRESS = 115;
const ETIMEDOUT = 110;
