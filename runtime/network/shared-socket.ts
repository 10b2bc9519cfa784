import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { ipOf } from '../../lib/net/ip';
import { NetworkError } from './errors';
import { afOf } from './netlink/wire';
import { socketAddress } from './socket-address';

/**
 * A TCP socket bound to an address where other processes may listen too, which Node 20 cannot ask for: so that one
 * server can take over from another. Its descriptor is the caller's. @throws NetworkError, with the name of errno
 */
export const sharedTcpSocket = (address: string, port: number): number => {
  const ip = ipOf(address);
  if (ip === undefined) throw new NetworkError('listen', `${address}: not an IP address`);
  const fd = socket(afOf(ip), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw failure('socket', address);
  const on = Buffer.alloc(4);
  on.writeInt32LE(1);
  try {
    for (const option of [SO_REUSEADDR, SO_REUSEPORT])
      if (setsockopt(fd, SOL_SOCKET, option, on, on.length) !== 0)
        throw failure('setsockopt', address);
    const bytes = socketAddress(ip, port);
    if (bind(fd, bytes, bytes.length) !== 0) throw failure('bind', address);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};

const failure = (call: string, address: string): NetworkError => {
  const errno = koffi.errno();
  const code = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0];
  return new NetworkError('listen', `${call} ${address}: ${code ?? `errno ${errno}`}`);
};

const libc = koffi.load(null);
type Call = (...args: readonly unknown[]) => number;
const socket = libc.func('int socket(int, int, int)') as Call;
const setsockopt = libc.func('int setsockopt(int, int, int, const void *, uint)') as Call;
const bind = libc.func('int bind(int, const void *, uint)') as Call;

const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
