import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { ManualClock } from '../../../lib/clock';
import { KeptConnections } from './kept-connections';

let clock: ManualClock;
let agent: KeptConnections;
let server: Server;
let connectionCount: number;

beforeEach(async () => {
  clock = new ManualClock();
  agent = new KeptConnections({ idleMs: 60_000, onIdle: () => undefined, clock });
  connectionCount = 0;
  server = createServer((_request, answer) => {
    answer.setHeader('Keep-Alive', 'timeout=2').end('x');
  });
  server.on('connection', () => connectionCount++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  agent.destroy();
  server.closeAllConnections();
  server.close();
});

/** Until its connection is free again. */
const ask = async (): Promise<void> => {
  const { port } = server.address() as AddressInfo;
  const sent = request({ host: '127.0.0.1', port, agent }).end();
  sent.once('response', (response) => response.resume());
  await once(sent, 'close');
  await new Promise(setImmediate);
};

it('uses a connection again until shortly before the endpoint closes it', async () => {
  await ask();
  await clock.advance(999);
  await ask();
  expect(connectionCount).toBe(1);
});

it('does not use one from then on, though it has not been swept away yet', async () => {
  await ask();
  await clock.advance(500);
  await ask();
  // Looked at after 1 s and after 2 s; good until 1.5 s.
  await clock.advance(1200);
  await ask();
  expect(connectionCount).toBe(2);
});
