import koffi from 'koffi';

/** One end of unix(7) datagrams, which Node does not have: for words to a service manager. */
export interface NotifySocket {
  /** False when they were not taken, now. */
  send(words: string): boolean;
}

/** At a path, or in the abstract namespace where it begins with `@`. Stays open as long as the program. @throws Error */
export const openNotifySocket = (path: string): NotifySocket => {
  const address = unixAddress(path);
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int, int, int)') as Call;
  const sendto = libc.func(
    'int64_t sendto(int, const void *, size_t, int, const void *, uint)',
  ) as Call;
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`no unix socket: errno ${koffi.errno()}`);
  return {
    send: (words) => {
      const bytes = Buffer.from(words);
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const sent = sendto(fd, bytes, bytes.length, flags, address, address.length);
      return sent === bytes.length;
    },
  };
};

/** `struct sockaddr_un`, as long as its name. @throws Error */
export const unixAddress = (path: string): Buffer => {
  const isAbstract = path.startsWith('@');
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > NAME_MAX_BYTES) throw new Error(`${path}: too long for a socket`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, name]);
};

type Call = (...args: readonly unknown[]) => number;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const NAME_MAX_BYTES = 108;
