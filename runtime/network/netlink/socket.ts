import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { Semaphore } from '../../../lib/async/semaphore';
import { inNamespace } from '../namespace';
import {
  decodeAttributes,
  decodeMessages,
  encodeRequest,
  fromCString,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  u32,
  type NetlinkMessage,
  type NetlinkRequest,
} from './wire';

/** The kernel refused a request. */
export class NetlinkError extends Error {
  constructor(
    readonly what: string,
    readonly errno: number,
    detail: string,
  ) {
    super(`${what}: ${getSystemErrorName(-errno)}${detail === '' ? '' : ` (${detail})`}`);
    this.name = 'NetlinkError';
  }
}

/**
 * A netlink socket, of rtnetlink unless said otherwise. It belongs for good to the namespace it was opened in. The kernel does the work
 * of a request inside `send`, where it may wait for another's network change (up to 30 ms for the
 * deletion of an interface), so `send` runs off the main thread; answers are then there to take.
 */
export class NetlinkSocket implements Disposable {
  private readonly turn = new Semaphore(1);
  private sequence = 1;
  private isOpen = true;

  private constructor(private readonly fd: number) {
    setFlag(fd, NETLINK_CAP_ACK);
    setFlag(fd, NETLINK_EXT_ACK);
    // A transaction is one datagram. Without the right to more room, large ones fail.
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, u32(SEND_BUFFER_BYTES), 4);
  }

  /** In the namespace of the calling thread. */
  static open(protocol = NETLINK_ROUTE): NetlinkSocket {
    return new NetlinkSocket(openSocket(protocol));
  }

  /** In the namespace pinned at `netnsPath`. */
  static openIn(netnsPath: string): NetlinkSocket {
    const { result, errno } = { result: undefined, ...inNamespace(netnsPath, openRouteSocket) };
    if (errno !== undefined) throw new NetlinkError('enter network namespace', errno, '');
    if (result.fd < 0) throw new NetlinkError('netlink socket', result.errno, '');
    return new NetlinkSocket(result.fd);
  }

  /** Runs the requests in order, all of them even when one fails; then throws the first failure. */
  async run(requests: readonly NetlinkRequest[]): Promise<void> {
    for (let first = 0; first < requests.length; first += MAX_BATCH) {
      await this.turn.use(() => this.runBatch(requests.slice(first, first + MAX_BATCH)));
    }
  }

  /**
   * Runs the requests, which the kernel does all or none of; only the last one is acknowledged, so that
   * the answers fit. @throws NetlinkError of the first that was refused
   */
  async transact(requests: readonly NetlinkRequest[]): Promise<void> {
    await this.turn.use(async () => {
      const first = this.sequence;
      this.sequence += requests.length;
      const last = requests.findLastIndex(({ isBracket }) => isBracket !== true);
      const bytes = requests.map((request, i) =>
        encodeRequest(request, first + i, i === last ? NLM_F_ACK : 0),
      );
      await this.send(Buffer.concat(bytes));
      let isDone = false;
      while (!isDone)
        for (const { sequence, type, ...reply } of this.receive()) {
          const request = requests[sequence - first];
          if (request === undefined || type !== NLMSG_ERROR) continue;
          throwFailure(request, { sequence, type, ...reply });
          if (sequence === first + last) isDone = true;
        }
    });
  }

  /** The answer to a query for one object. */
  async get(request: NetlinkRequest): Promise<NetlinkMessage> {
    return this.turn.use(async () => {
      const sequence = this.sequence++;
      await this.send(encodeRequest(request, sequence, 0));
      const reply = this.receive().find((message) => message.sequence === sequence);
      if (reply === undefined) throw new NetlinkError(request.what, constants.errno.EPROTO, '');
      if (reply.type === NLMSG_ERROR) throwFailure(request, reply);
      return reply;
    });
  }

  /** Every object the request asks for, as one consistent listing. */
  async dump(request: NetlinkRequest): Promise<NetlinkMessage[]> {
    return this.turn.use(async () => {
      for (let attempt = 0; attempt < MAX_DUMP_ATTEMPTS; attempt++) {
        const messages = await this.dumpOnce(request);
        if (messages !== undefined) return messages;
      }
      throw new NetlinkError(request.what, constants.errno.EINTR, 'it keeps changing');
    });
  }

  [Symbol.dispose](): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeSync(this.fd);
  }

  private async runBatch(requests: readonly NetlinkRequest[]): Promise<void> {
    const first = this.sequence;
    this.sequence += requests.length;
    await this.send(
      Buffer.concat(requests.map((request, i) => encodeRequest(request, first + i, NLM_F_ACK))),
    );
    const replies = new Map<number, NetlinkMessage>();
    while (replies.size < requests.length) {
      for (const message of this.receive()) {
        const isOurs = message.sequence >= first && message.sequence < first + requests.length;
        if (isOurs && message.type === NLMSG_ERROR) replies.set(message.sequence, message);
      }
    }
    requests.forEach((request, i) => throwFailure(request, replies.get(first + i)));
  }

  /** Undefined when the listing changed under the walk. */
  private async dumpOnce(request: NetlinkRequest): Promise<NetlinkMessage[] | undefined> {
    const sequence = this.sequence++;
    await this.send(encodeRequest(request, sequence, NLM_F_DUMP));
    const messages: NetlinkMessage[] = [];
    let isConsistent = true;
    for (;;) {
      for (const message of this.receive()) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) isConsistent = false;
        if (message.type === NLMSG_DONE) return isConsistent ? messages : undefined;
        if (message.type === NLMSG_ERROR) throwFailure(request, message);
        messages.push(message);
      }
    }
  }

  private async send(bytes: Buffer): Promise<void> {
    // The number may already stand for another file.
    if (!this.isOpen) throw new Error('netlink socket is closed');
    return new Promise((resolve, reject) => {
      libc.send.async(this.fd, bytes, bytes.length, 0, (error: unknown, sent: number) => {
        if (sent === bytes.length) resolve();
        else reject(new Error('netlink send failed', { cause: error }));
      });
    });
  }

  /** Copies, because the buffer is shared by all sockets. */
  private receive(): NetlinkMessage[] {
    const length = Number(libc.recv(this.fd, receiveBuffer, receiveBuffer.length, MSG_DONTWAIT));
    if (length <= 0) throw new NetlinkError('netlink receive', koffi.errno(), '');
    return decodeMessages(Buffer.from(receiveBuffer.subarray(0, length)));
  }
}

const throwFailure = (request: NetlinkRequest, reply: NetlinkMessage | undefined): void => {
  const errno = -(reply?.payload.readInt32LE(0) ?? 0);
  if (reply === undefined || errno === 0 || request.accepts?.includes(errno) === true) return;
  // With both options set: the error number, the request's header alone, then attributes.
  const hasDetail = (reply.flags & NLM_F_ACK_TLVS) !== 0;
  const attributes = decodeAttributes(
    reply.payload.subarray(hasDetail ? 20 : reply.payload.length),
  );
  const detail = attributes.get(NLMSGERR_ATTR_MSG);
  throw new NetlinkError(request.what, errno, detail === undefined ? '' : fromCString(detail));
};

const openRouteSocket = (): { readonly fd: number; readonly errno: number } => {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
  return { fd, errno: koffi.errno() };
};

const openSocket = (protocol: number): number => {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
  if (fd < 0) throw new NetlinkError('netlink socket', koffi.errno(), '');
  return fd;
};

/** Without them errors only lack their explanation. */
const setFlag = (fd: number, option: number): void => {
  libc.setsockopt(fd, SOL_NETLINK, option, Buffer.from([1, 0, 0, 0]), 4);
};

interface Send {
  async(
    fd: number,
    bytes: Buffer,
    length: number,
    flags: number,
    done: (error: unknown, sent: number) => void,
  ): void;
}

const library = koffi.load(null);
const libc = {
  socket: library.func('int socket(int, int, int)') as (...args: number[]) => number,
  setsockopt: library.func('int setsockopt(int, int, int, void *, uint32_t)') as (
    ...args: (number | Buffer)[]
  ) => number,
  send: library.func('long send(int, void *, size_t, int)') as unknown as Send,
  recv: library.func('long recv(int, void *, size_t, int)') as (
    ...args: (number | Buffer)[]
  ) => number | bigint,
};

/** The kernel fills at most this much of a dump at a time. */
const receiveBuffer = Buffer.alloc(64 * 1024);

/** Answers wait in the socket's buffer until the whole batch is done. */
const MAX_BATCH = 64;
const MAX_DUMP_ATTEMPTS = 10;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0x80003;
const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SEND_BUFFER_BYTES = 4 * 1024 * 1024;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NLMSGERR_ATTR_MSG = 1;
const MSG_DONTWAIT = 0x40;
