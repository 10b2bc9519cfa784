import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { systemClock } from '../../lib/clock';
import { queryFor, service, testNames } from '../../node-agent/dns/testing';
import { listenByTcp, type TcpLimits } from '../../node-agent/dns/serving/tcp-listener';
import type { NameServer } from '../../node-agent/dns/serving/name-server';
import { sharedTcpSocket } from '../../runtime/network/shared-socket';
import { askByTcp } from './support/dns-client';

const ADDRESS = '127.53.0.40';
const WEB = 'web.default.svc.cluster.local';

let port = 15_600 + (process.pid % 1000) * 10;
let closing: (() => void)[] = [];
beforeEach(() => port++);
afterEach(() => {
  for (const close of closing) close();
  closing = [];
});

const listen = async (
  limits: Partial<TcpLimits> = {},
  names: Pick<NameServer, 'answer'> = testNames({
    services: [service('web', { clusterIP: '10.96.0.7' })],
  }).names,
) => {
  const fd = sharedTcpSocket(ADDRESS, port);
  const listener = await listenByTcp(fd, { names, clock: systemClock, limits });
  closing.push(() => listener.close());
  return { address: ADDRESS, port };
};

const open = async (): Promise<Socket> => {
  const socket = connect({ host: ADDRESS, port });
  socket.on('error', () => undefined);
  closing.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
};

it('ends who says nothing, or never comes to the end of a question', async () => {
  await listen({ idleMs: 100 });
  const silent = await open();
  const slow = await open();
  slow.write(Buffer.of(0, 40, 1));
  await Promise.all([once(silent, 'close'), once(slow, 'close')]);
});

it('has room for so many of one client', async () => {
  await listen({ perClient: 2 });
  const [first] = [await open(), await open()];
  await once(await open(), 'close');
  first.destroy();
  const question = [queryFor(WEB, 'A')];
  const server = { address: ADDRESS, port };
  for (let tries = 0; ; tries++)
    if ((await askByTcp(server, question).catch(() => [])).length === 1) break;
    else if (tries > 100) throw new Error('no room again');
});

it('reads no more of a client than so many questions at a time, and answers all', async () => {
  let pending = 0;
  let highest = 0;
  const server = await listen(
    { pending: 4 },
    {
      answer: async (message) => {
        highest = Math.max(highest, ++pending);
        await systemClock.sleep(2);
        pending--;
        return message;
      },
    },
  );
  const questions = Array.from({ length: 64 }, (_none, id) => queryFor(WEB, 'A', { id }));
  expect(await askByTcp(server, questions)).toHaveLength(64);
  expect(highest).toBe(4);
});

it('answers who has said that it will ask no more', async () => {
  const server = await listen(
    {},
    { answer: async (message) => (await systemClock.sleep(50), message) },
  );
  const socket = connect({ host: server.address, port: server.port, allowHalfOpen: true });
  const message = queryFor(WEB, 'A');
  socket.end(Buffer.concat([Buffer.of(0, message.length), message]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.subarray(2)).toEqual(message);
  socket.destroy();
});

it('ends who sends what is no question', async () => {
  await listen();
  const socket = await open();
  socket.write(Buffer.of(0, 3, 1, 2, 3));
  await once(socket, 'close');
});
