import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import type { ClientConfig } from '../../client/kubeconfig';

/**
 * Microseconds of CPU for each of `events` events of `bytes` bytes that a bare HTTPS server writes to
 * each of `watchers` connections, sixteen at a time: what no server in Node can do without.
 */
export const bareFanOut = async (
  { cert, key }: ClientConfig,
  watchers: number,
  events: number,
  bytes: number,
): Promise<number> => {
  const args = [watchers, events, bytes].map(String);
  const child = spawn(process.execPath, ['-e', SERVER, '--', ...args], {
    env: { ...process.env, CERT: cert, KEY: key },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const port = Number((await lines.next()).value);
    const streams = Array.from({ length: watchers }, () => {
      // It shows a certificate of ours that is no server's.
      const options = { host: '127.0.0.1', port, agent: false as const, rejectUnauthorized: false };
      const sent = request(options, (response) => void response.resume());
      sent.on('error', () => undefined);
      sent.end();
      return sent;
    });
    const micros = Number((await lines.next()).value);
    for (const stream of streams) stream.destroy();
    return micros / (watchers * events);
  } finally {
    child.kill();
    await ended;
  }
};

/** Prints its port, waits for all to be there, writes, and prints what that cost in microseconds. */
const SERVER = `
const [watchers, events, bytes] = process.argv.slice(1).map(Number);
const all = [];
const server = require('node:https').createServer(
  { cert: process.env.CERT, key: process.env.KEY },
  (_request, response) => {
    response.flushHeaders();
    all.push(response);
    if (all.length === watchers) setTimeout(write, 500);
  },
);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const write = async () => {
  const batch = Buffer.alloc(bytes * 16, 120);
  const before = process.cpuUsage();
  for (let i = 0; i < events / 16; i++) {
    for (const response of all) response.write(batch);
    while (all.some((response) => response.writableNeedDrain)) await turn();
  }
  const { user, system } = process.cpuUsage(before);
  console.log(user + system);
};
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;
