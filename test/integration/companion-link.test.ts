import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiObject } from '../../api/types';
import { systemClock } from '../../lib/clock';
import { feedCompanion } from '../../node-agent/companion/companion-link';
import { receiveMessages } from '../../node-agent/companion/messages';
import type { RowTable } from '../../node-agent/session/network-tables';

/* The end of the agent, on a real socket with a companion that reads when it likes. */

jest.setTimeout(60_000);

let directory: string;
let server: Server;
let companion: Socket;
let stopping: AbortController;
let feeding: Promise<void>;
let rows: Map<string, ApiObject>;
let notify: (keys: ReadonlySet<string>) => void;
let renew: () => void;
let readCount: number;

const row = (name: string, text = 'x'.repeat(1024)): ApiObject => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, annotations: { text } } },
});

const table: RowTable<ApiObject> = {
  get: (key) => (readCount++, rows.get(key)),
  list: () => rows.values(),
  onChange: (listener) => ((notify = listener), () => undefined),
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'link-'));
  rows = new Map(Array.from({ length: 5_000 }, (_, i) => [`s${i}`, row(`s${i}`)]));
  readCount = 0;
  stopping = new AbortController();
  server = createServer({ pauseOnConnect: true });
  server.listen(join(directory, 'link.sock'));
  await once(server, 'listening');
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const feed = {
    ...{ tables: { services: table }, settings: () => ({ port: 1 }) },
    onSettings: (listener: () => void) => ((renew = listener), () => undefined),
  };
  const deps = { feed, clock: systemClock, onState: () => undefined };
  feeding = feedCompanion(join(directory, 'link.sock'), deps, stopping.signal);
  [companion] = await connected;
});

afterEach(async () => {
  stopping.abort();
  await feeding;
  companion.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Message {
  readonly op: string;
  readonly key?: string;
  readonly value?: ApiObject;
}

/** All that is told until `count` times all has been told. */
const listen = (count: number): Promise<readonly Message[]> =>
  new Promise((resolve) => {
    const heard: Message[] = [];
    receiveMessages(companion, (message) => {
      heard.push(message as Message);
      if (heard.filter(({ op }) => op === 'end').length === count) resolve(heard);
    });
    companion.resume();
  });

/** How many rows have been read when no further one is. */
const untilStill = async (): Promise<number> => {
  for (let before = -1; before !== readCount;) {
    before = readCount;
    await systemClock.sleep(200);
  }
  return readCount;
};

it('tells no more than is taken, and what changes meanwhile as it is then', async () => {
  expect(await untilStill()).toBeLessThan(2_500);
  rows.set('s4999', row('s4999', 'new'));
  rows.delete('s4998');
  rows.set('late', row('late'));
  notify(new Set(['s4999', 's4998', 'late']));
  const heard = await listen(1);
  expect(heard.map(({ op }) => op)).toEqual(['begin', ...heard.slice(2).map(() => 'row'), 'end']);
  const told = new Map(
    heard.flatMap(({ key, value }) => (key === undefined ? [] : [[key, value]])),
  );
  expect(heard).toHaveLength(told.size + 2);
  expect(told.size).toBe(5_001);
  expect(told.get('s4999')?.metadata.annotations).toEqual({ text: 'new' });
  expect([told.get('s4998'), told.get('late')?.metadata.name]).toEqual([undefined, 'late']);
});

it('begins again when the settings are others', async () => {
  await untilStill();
  renew();
  const heard = await listen(1);
  const again = heard.map(({ op }) => op).lastIndexOf('begin');
  expect(again).toBeGreaterThan(0);
  expect(heard.slice(again).filter(({ op }) => op === 'row')).toHaveLength(5_000);
});
