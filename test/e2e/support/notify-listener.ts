import { rmSync } from 'node:fs';
import koffi from 'koffi';
import { unixAddress } from '../../../runtime/notify-socket';

/** Hears what programs tell a service manager at a socket, as systemd does. */
export class NotifyListener implements Disposable {
  private readonly heard: string[] = [];
  private readonly fd: number;

  constructor(readonly path: string) {
    this.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const address = unixAddress(path);
    if (this.fd < 0 || bind(this.fd, address, address.length) !== 0)
      throw new Error(`cannot listen at ${path}: errno ${koffi.errno()}`);
  }

  /** All that was said until now. */
  words(): readonly string[] {
    const buffer = Buffer.alloc(4096);
    for (;;) {
      const size = recv(this.fd, buffer, buffer.length, 0);
      if (size < 0) return this.heard;
      this.heard.push(buffer.toString('utf8', 0, size));
    }
  }

  [Symbol.dispose](): void {
    close(this.fd);
    rmSync(this.path, { force: true });
  }
}

type Call = (...args: readonly unknown[]) => number;
const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)') as Call;
const bind = libc.func('int bind(int, const void *, uint)') as Call;
const recv = libc.func('int64_t recv(int, _Out_ void *, size_t, int)') as Call;
const close = libc.func('int close(int)') as Call;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
