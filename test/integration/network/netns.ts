import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';
import { type NodeMethod, type NodeOptions } from './node';

const ROOT = resolve(__dirname, '../../..');

/** Namespaces, nodes and files of one test file, all gone after `dispose`. */
export class NetnsLab {
  readonly tag = `network${randomBytes(3).toString('hex')}`;
  private readonly dir = mkdtempSync(join(tmpdir(), 'network-test-'));
  private readonly namespaces = new Set<string>();
  private readonly nodes = new Set<NetworkNode>();
  private program: string | undefined;

  /** Makes a namespace; returns its path. */
  netns(name: string): string {
    const full = `${this.tag}-${name}`;
    run('ip', 'netns', 'add', full);
    this.namespaces.add(full);
    return join('/run/netns', full);
  }

  removeNetns(path: string): void {
    const full = path.replace('/run/netns/', '');
    run('ip', 'netns', 'delete', full);
    this.namespaces.delete(full);
  }

  /** Joins two namespaces by a wire with an address at each end. */
  wire(a: string, addressA: string, b: string, addressB: string): void {
    const names = [0, 1].map(() => `nw${randomBytes(4).toString('hex')}`);
    const [nameA = '', nameB = ''] = names;
    inNetns(a, 'ip', 'link', 'add', nameA, 'type', 'veth', 'peer', nameB, 'netns', b);
    for (const [netns, name, address] of [
      [a, nameA, addressA],
      [b, nameB, addressB],
    ] as const) {
      const now = address.includes(':') ? ['nodad'] : [];
      inNetns(netns, 'ip', 'addr', 'add', address, 'dev', name, ...now);
      inNetns(netns, 'ip', 'link', 'set', name, 'up');
      inNetns(netns, 'ip', 'link', 'set', 'lo', 'up');
    }
  }

  async node(netns: string, options: NodeOptions): Promise<NetworkNode> {
    this.program ??= this.build();
    const node = new NetworkNode(
      spawn(
        'nsenter',
        [`--net=${netns}`, process.execPath, this.program, JSON.stringify(options)],
        {
          stdio: ['pipe', 'pipe', 'inherit'],
          env: { ...process.env, NODE_PATH: join(ROOT, 'node_modules') },
        },
      ),
    );
    this.nodes.add(node);
    await node.ready();
    return node;
  }

  async dispose(): Promise<void> {
    for (const node of this.nodes) await node.kill();
    for (const name of this.namespaces) spawnSync('ip', ['netns', 'delete', name]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  private build(): string {
    const outfile = join(this.dir, 'node.js');
    buildSync({
      entryPoints: [join(__dirname, 'node.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      external: ['koffi', 'pino'],
      logLevel: 'error',
    });
    return outfile;
  }
}

interface Reply {
  readonly value?: unknown;
  readonly error?: string;
}

/** A process in a node's namespace that holds its pod network. */
export class NetworkNode {
  private readonly lines: AsyncIterator<string>;

  constructor(private readonly child: ChildProcess) {
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    await this.reply();
  }

  async call<T = unknown>(method: NodeMethod, argument?: unknown): Promise<T> {
    this.child.stdin?.write(`${JSON.stringify({ method, argument })}\n`);
    return (await this.reply()) as T;
  }

  /** Resolves once the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    const deadlineMs = Date.now() + 60_000;
    while (!condition()) {
      if (Date.now() > deadlineMs) throw new Error('the condition never held');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await closed;
  }

  private async reply(): Promise<unknown> {
    const line = await this.lines.next();
    if (line.done === true) throw new Error('the node ended');
    const { error, value } = JSON.parse(line.value) as Reply;
    if (error !== undefined) throw new Error(error);
    return value;
  }
}

/** Runs a command to its end; returns its output. */
export const run = (command: string, ...args: string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 15_000,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
};

export const inNetns = (path: string, command: string, ...args: string[]): string =>
  run('nsenter', `--net=${path}`, command, ...args);

/**
 * Whether an echo request is answered. The first may be lost: on a busy machine the kernel takes a
 * moment to notice that a new link has two ends.
 */
export const pings = (path: string, address: string, bytes = 56): boolean => {
  const ping = ['busybox', 'ping', '-c', '2', '-W', '1', '-s', String(bytes), address];
  return spawnSync('nsenter', [`--net=${path}`, ...ping]).status === 0;
};

/** `connected`, or the error code. */
export const connectFrom = (path: string, address: string, port: number): string =>
  inNetns(path, process.execPath, '-e', CONNECT, address, String(port)).trim();

/**
 * Sends datagrams that may not be cut in pieces, of so many bytes with their headers, to a `serve`:
 * `echoed`, or the error and what the kernel has learnt that the way takes.
 */
export const sendWhole = (path: string, address: string, port: number, bytes: number): string =>
  inNetns(
    path,
    process.execPath,
    '-e',
    SEND_WHOLE,
    require.resolve('koffi'),
    address,
    String(port),
    String(bytes - UDP_HEADER_BYTES),
  ).trim();

/** Sends a megabyte to the port after that of a `serve` and back; the bytes received, or the error. */
export const transfer = (path: string, address: string, port: number): string =>
  inNetns(path, process.execPath, '-e', TRANSFER, address, String(port)).trim();

/**
 * A server on TCP and UDP that answers each client with the address it sees, then its name if it has one;
 * the next port echoes.
 */
export const serve = async (
  path: string,
  port: number,
  name = '',
  at = '0.0.0.0',
): Promise<AsyncDisposable> => {
  const args = [process.execPath, '-e', SERVE, String(port), name, at];
  const child = spawn('nsenter', [`--net=${path}`, ...args]);
  await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  return { [Symbol.asyncDispose]: () => killed(child) };
};

/** What a server of `serve` says to a client here, or the error code. */
export const ask = (path: string, protocol: 'tcp' | 'udp', address: string, port: number): string =>
  inNetns(path, process.execPath, '-e', ASK, protocol, address, String(port)).trim();

/** The same many times, each by a connection of its own. */
export const askMany = (path: string, address: string, port: number, count: number): string[] =>
  inNetns(path, process.execPath, '-e', ASK_MANY, address, String(port), String(count))
    .trim()
    .split('\n');

/**
 * Connects again and again until it is disposed of; `answers` has what was said, or the error codes. One
 * more connection is held to the echoing port after it, and sends all the while.
 */
export const keepConnecting = (path: string, address: string, port: number) => {
  const args = [process.execPath, '-e', KEEP_CONNECTING, address, String(port)];
  const child = spawn('nsenter', [`--net=${path}`, ...args]);
  const answers: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => answers.push(line));
  return { answers: (): readonly string[] => answers, [Symbol.asyncDispose]: () => killed(child) };
};

/** Keeps sending datagrams from one socket; `answers` tells how many have been answered. */
export const keepAsking = (
  path: string,
  address: string,
  port: number,
): { readonly answers: () => number; readonly refusals: () => number } & AsyncDisposable => {
  const child = spawn('nsenter', [
    `--net=${path}`,
    process.execPath,
    '-e',
    KEEP_ASKING,
    address,
    String(port),
  ]);
  const counts = new Map<string, number>();
  createInterface({ input: child.stdout }).on('line', (line) =>
    counts.set(line, (counts.get(line) ?? 0) + 1),
  );
  return {
    answers: () => counts.get('answered') ?? 0,
    refusals: () => counts.get('ECONNREFUSED') ?? 0,
    [Symbol.asyncDispose]: () => killed(child),
  };
};

const killed = async (child: ChildProcess): Promise<void> => {
  const closed = new Promise((done) => child.once('exit', done));
  child.kill('SIGKILL');
  await closed;
};

/**
 * Sends datagrams to `address`, one from each of `sources`, which the sender just claims as its own.
 * Then `send` may send more. Resolves with the sources that the receiver saw.
 */
export const sourcesSeen = async (
  receiver: string,
  address: string,
  sender: string,
  sources: readonly string[],
  { port = 4000, send = () => undefined }: { port?: number; send?: () => unknown } = {},
): Promise<string[]> => {
  for (const source of sources)
    spawnSync('nsenter', [`--net=${sender}`, 'ip', 'addr', 'add', `${source}/32`, 'dev', 'lo']);
  const child = spawn('nsenter', [
    ...[`--net=${receiver}`, process.execPath, '-e', RECEIVE, address, String(port)],
  ]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  // It may not even get the port.
  child.stdin.on('error', () => undefined);
  await lines.next();
  for (const source of sources)
    inNetns(sender, process.execPath, '-e', SEND, source, address, String(port));
  send();
  child.stdin.end();
  const seen: string[] = [];
  for (let line = await lines.next(); line.done !== true; line = await lines.next())
    seen.push(line.value);
  for (const source of sources)
    spawnSync('nsenter', [`--net=${sender}`, 'ip', 'addr', 'del', `${source}/32`, 'dev', 'lo']);
  return seen.sort();
};

/** Once all is sent, it sends itself a last one: what came before that has been seen by then. */
const RECEIVE = `
const [address, port] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.on('message', (data, from) => {
  if (String(data) === 'last') process.exit(0);
  console.log(from.address);
});
socket.bind(Number(port), address, () => console.log('ready'));
process.stdin.on('end', () => setTimeout(() => socket.send('last', Number(port), address), 500));
process.stdin.resume();
setTimeout(() => process.exit(1), 60_000);
`;
const SEND = `
const [source, address, port] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.bind(0, source, () => socket.send('x', Number(port), address, () => socket.close()));
`;

const CONNECT = `
const socket = require('node:net').connect(Number(process.argv[2]), process.argv[1]);
socket.on('connect', () => { console.log('connected'); socket.destroy(); });
socket.on('error', (error) => console.log(error.code));`;

const SERVE = `
const port = Number(process.argv[1]);
const answer = (address) => (address + ' ' + (process.argv[2] ?? '')).trim();
const udp = require('node:dgram').createSocket(process.argv[3].includes(':') ? 'udp6' : 'udp4');
udp.on('message', (_data, from) => udp.send(answer(from.address), from.port, from.address));
const tcp = require('node:net').createServer((socket) => {
  socket.on('error', () => undefined);
  socket.end(answer(socket.remoteAddress));
});
const echo = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.pipe(socket);
});
echo.listen(port + 1);
const at = process.argv[3];
tcp.listen(port, at, () => udp.bind(port, at, () => console.log('ready')));`;

const ASK_MANY = `
const [address, port, count] = process.argv.slice(1);
const one = () => new Promise((resolve) => {
  const socket = require('node:net').connect(Number(port), address);
  socket.setTimeout(4000, () => resolve('silence'));
  socket.on('data', (data) => resolve(data.toString()));
  socket.on('error', (error) => resolve(error.code));
});
(async () => {
  for (let i = 0; i < Number(count); i++) console.log(await one());
  process.exit(0);
})();`;

const KEEP_CONNECTING = `
const [address, port] = process.argv.slice(1);
const net = require('node:net');
const one = () => new Promise((resolve) => {
  const socket = net.connect(Number(port), address);
  socket.setTimeout(4000, () => resolve('silence'));
  socket.on('data', (data) => { resolve(data.toString()); socket.destroy(); });
  socket.on('error', (error) => resolve(error.code));
});
const held = net.connect(Number(port) + 1, address);
held.on('error', (error) => console.log('held ' + error.code));
held.on('close', () => console.log('held closed'));
held.on('data', () => (echoed += 1));
let echoed = 0;
setInterval(() => { held.write('x'); console.log('held ' + (echoed > 0 ? 'echoed' : 'waits')); echoed = 0; }, 500);
(async () => { for (;;) console.log(await one()); })();`;

const KEEP_ASKING = `
const [address, port] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
const failed = (error) => error && console.log(error.code);
socket.on('message', () => console.log('answered'));
socket.on('error', failed);
socket.connect(Number(port), address, () => setInterval(() => socket.send('x', failed), 50));`;

const ASK = `
const [protocol, address, port] = process.argv.slice(1);
const say = (text) => { console.log(text); process.exit(0); };
setTimeout(() => say('silence'), 3000);
if (protocol === 'tcp') {
  const socket = require('node:net').connect(Number(port), address);
  socket.on('data', (data) => say(data.toString()));
  socket.on('error', (error) => say(error.code));
} else {
  const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (data) => say(data.toString()));
  socket.on('error', (error) => say(error.code));
  // Again, as every client does: the kernel sends only so many refusals a second, to all there are.
  const send = () => socket.send('x');
  socket.connect(Number(port), address, () => { send(); setInterval(send, 500); });
}`;

const TRANSFER = `
const [address, port] = process.argv.slice(1);
const say = (text) => { console.log(text); process.exit(0); };
setTimeout(() => say('silence'), 8000);
const socket = require('node:net').connect(Number(port), address);
let count = 0;
socket.on('data', (data) => (count += data.length));
socket.on('end', () => say(String(count)));
socket.on('error', (error) => say(error.code));
socket.end(Buffer.alloc(1 << 20, 1));`;

const UDP_HEADER_BYTES = 28;
/** IP_MTU_DISCOVER: IP_PMTUDISC_DO; then IP_MTU. */
const SEND_WHOLE = `
const [koffi, address, port, bytes] = process.argv.slice(1);
const libc = require(koffi).load('libc.so.6');
const setOption = libc.func('int setsockopt(int, int, int, int *, uint32_t)');
const getOption = libc.func('int getsockopt(int, int, int, _Out_ int *, _Inout_ uint32_t *)');
const socket = require('node:dgram').createSocket('udp4');
const say = (text) => { console.log(text); process.exit(0); };
setTimeout(() => say('silence'), 3000);
const mtu = () => { const value = [0]; getOption(socket._handle.fd, 0, 14, value, [4]); return value[0]; };
const failed = (error) => say(error.code + ' ' + mtu());
socket.on('message', () => say('echoed'));
socket.on('error', failed);
socket.connect(Number(port), address, () => {
  setOption(socket._handle.fd, 0, 10, [2], 4);
  const send = () => socket.send(Buffer.alloc(Number(bytes)), (error) => error && failed(error));
  send();
  setInterval(send, 100);
});`;
