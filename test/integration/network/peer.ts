import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export type Reach = 'reached' | 'refused' | 'silence';

export interface Try {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

/** A process in a namespace that answers on ports, and tries those of others, very many at once. */
export interface Peer extends AsyncDisposable {
  /** In the order of `tries`. What is silent for so long counts as held back. */
  attempt(tries: readonly Try[], silenceMs?: number): Promise<readonly Reach[]>;
  /** Opens a connection that asks and gets an answer 20 times a second; an id to ask of it by. */
  keepTalking(address: string, port: number): Promise<number>;
  /** How many answers it has had. */
  answers(id: number): Promise<number>;
}

export const startPeer = async (
  path: string,
  ports: readonly number[],
  listenAddress = '0.0.0.0',
): Promise<Peer> => {
  const node = [process.execPath, '-e', PEER, ports.join(), listenAddress];
  const child = spawn('nsenter', [`--net=${path}`, ...node], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done === true) throw new Error('the peer ended');
    return JSON.parse(line.value);
  };
  await next();
  const call = (question: object): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return next();
  };
  return {
    attempt: async (tries, silenceMs = 700) =>
      (await call({ tries, silenceMs })) as readonly Reach[],
    keepTalking: async (address, port) => (await call({ talk: { address, port } })) as number,
    answers: async (id) => (await call({ answers: id })) as number,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      await closed;
    },
  };
};

const PEER = `
const net = require('node:net');
const dgram = require('node:dgram');
const ports = process.argv[1].split(',').map(Number);
const host = process.argv[2];
const say = (value) => console.log(JSON.stringify(value));
const ignore = () => undefined;
const listening = ports.flatMap((port) => [
  new Promise((done) => net.createServer((socket) => { socket.on('error', ignore); socket.pipe(socket); }).listen(port, host, done)),
  new Promise((done) => {
    const udp = dgram.createSocket('udp4');
    udp.on('message', (data, from) => udp.send(data, from.port, from.address, ignore));
    udp.on('error', ignore);
    udp.bind(port, host, done);
  }),
]);
const tcp = ({ address, port }, ms) => new Promise((done) => {
  const socket = net.connect(port, address);
  const end = (result) => { clearTimeout(timer); socket.destroy(); done(result); };
  const timer = setTimeout(end, ms, 'silence');
  socket.on('connect', () => end('reached'));
  socket.on('error', () => end('refused'));
});
const udp = ({ address, port }, ms) => new Promise((done) => {
  const socket = dgram.createSocket('udp4');
  const end = (result) => { clearTimeout(timer); clearInterval(again); socket.close(); done(result); };
  const timer = setTimeout(end, ms, 'silence');
  const ask = () => socket.send('x', ignore);
  let again;
  socket.on('message', () => end('reached'));
  socket.on('error', () => end('refused'));
  socket.connect(port, address, () => { ask(); again = setInterval(ask, 200); });
});
const talks = [];
const answer = async ({ tries, silenceMs, talk, answers }) => {
  if (tries) return Promise.all(tries.map((each) => (each.protocol === 'tcp' ? tcp : udp)(each, silenceMs)));
  if (talk) {
    const id = talks.push(0) - 1;
    const socket = net.connect(talk.port, talk.address);
    socket.on('error', ignore);
    await new Promise((done) => socket.once('connect', done));
    socket.on('data', () => talks[id]++);
    setInterval(() => socket.write('x'), 50);
    return id;
  }
  return talks[answers];
};
(async () => {
  await Promise.all(listening);
  say('ready');
  for await (const line of require('node:readline').createInterface({ input: process.stdin })) say(await answer(JSON.parse(line)));
})();`;
