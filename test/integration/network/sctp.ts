import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { inNetns } from './netns';

/**
 * Opening an association as far as the first two packets go, written by hand: that the nodes lead SCTP has
 * nothing to do with whether this kernel speaks it by itself.
 */
const PROGRAM = `
const libc = require(process.argv[1]).load('libc.so.6');
const koffi = require(process.argv[1]);
const call = (signature) => libc.func(signature);
const socket = call('int socket(int, int, int)');
const setsockopt = call('int setsockopt(int, int, int, const void *, uint32_t)');
const connect = call('int connect(int, const void *, uint32_t)');
const send = call('int send(int, const void *, size_t, int)');
const sendto = call('int sendto(int, const void *, size_t, int, const void *, uint32_t)');
const recv = call('int recv(int, void *, size_t, int)');
const to = (address) => {
  const out = Buffer.alloc(16);
  out.writeUInt16LE(2, 0);
  address.split('.').forEach((part, i) => out.writeUInt8(Number(part), 4 + i));
  return out;
};
const crc32c = (bytes) => {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
};
const packet = (source, target, verification, type) => {
  const out = Buffer.alloc(32);
  out.writeUInt16BE(source, 0);
  out.writeUInt16BE(target, 2);
  out.writeUInt32BE(verification, 4);
  out.writeUInt8(type, 12);
  out.writeUInt16BE(20, 14);
  out.writeUInt32BE(type === 1 ? 7 : 8, 16);
  out.writeUInt32BE(65536, 20);
  out.writeUInt32BE(0x00010001, 24);
  out.writeUInt32BE(1, 28);
  out.writeUInt32LE(crc32c(out), 8);
  return out;
};
const fd = socket(2, 3, 132);
if (fd < 0) throw new Error('no raw socket: ' + koffi.errno());
const timeout = Buffer.alloc(16);
const wait = (seconds) => {
  timeout.writeBigInt64LE(BigInt(seconds), 0);
  setsockopt(fd, 1, 20, timeout, 16);
};
const read = () => {
  const all = Buffer.alloc(2048);
  const length = recv(fd, all, all.length, 0);
  if (length < 0) return { errno: koffi.errno() };
  const body = all.subarray((all[0] & 15) * 4, length);
  return {
    from: [...all.subarray(12, 16)].join('.'),
    source: body.readUInt16BE(0),
    target: body.readUInt16BE(2),
    isWhole: body.readUInt32LE(8) === crc32c(Buffer.concat([body.subarray(0, 8), Buffer.alloc(4), body.subarray(12)])),
    type: body[12],
  };
};
`;

const SERVE = `${PROGRAM}
const port = Number(process.argv[2]);
console.log('ready');
for (;;) {
  const got = read();
  if (got.type !== 1 || got.target !== port) continue;
  sendto(fd, packet(port, got.source, 7, 2), 32, 0, to(got.from), 16);
}`;

const ASK = `${PROGRAM}
const [address, port] = process.argv.slice(2);
wait(2);
connect(fd, to(address), 16);
const own = 40000 + (process.pid % 20000);
send(fd, packet(own, Number(port), 0, 1), 32, 0);
for (;;) {
  const got = read();
  if (got.errno !== undefined) {
    console.log(got.errno === 111 ? 'refused' : got.errno === 11 ? 'silence' : 'errno ' + got.errno);
    break;
  }
  if (got.type !== 2 || got.target !== own) continue;
  console.log(got.from + ':' + got.source + (got.isWhole ? '' : ' with a wrong checksum'));
  break;
}`;

const KOFFI = require.resolve('koffi');

/** Acknowledges whoever opens an association with the port. */
export const serveSctp = async (path: string, port: number): Promise<AsyncDisposable> => {
  const args = [`--net=${path}`, process.execPath, '-e', SERVE, KOFFI, String(port)];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, 'exit');
      child.kill('SIGKILL');
      await closed;
    },
  };
};

/** Who acknowledges an association from here, as `ADDRESS:PORT`; `refused`, or `silence`. */
export const associate = (path: string, address: string, port: number): string =>
  inNetns(path, process.execPath, '-e', ASK, KOFFI, address, String(port)).trim();
