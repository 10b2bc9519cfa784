import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import type { Row } from '../../proto/gen/dhow/agent/v1/agent';
import { NetworkTables } from './network-tables';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-network-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (): NetworkTables => {
  const tables = new NetworkTables(directory, silentLog, systemClock);
  tables.load();
  return tables;
};

const row = (resource: string, key: string, value: object): Row => ({
  ...{ resource, key, version: '' },
  json: Buffer.from(JSON.stringify(value)),
});

const service = (name: string, clusterIP = '10.96.0.1'): Row =>
  row('services', `ns/${name}`, { metadata: { name, namespace: 'ns' }, spec: { clusterIP } });

const slice = (name: string): Row =>
  row('endpointslices', `ns/${name}`, { metadata: { name, namespace: 'ns' }, endpoints: [] });

const CLUSTER = {
  podCidrs: ['10.42.0.0/16'],
  serviceCidrs: ['10.96.0.0/16'],
  nodePortRange: { first: 30_000, last: 32_767 },
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
};
const cluster = row('clusternetwork', 'cluster', CLUSTER);

const namesIn = ({ services }: NetworkTables) =>
  [...services.list()].map(({ metadata }) => metadata.name);

it('is as it was for the next agent, also when the server is away', () => {
  const tables = open();
  expect(tables.isKnown).toBe(false);
  tables.applySnapshot([service('a'), service('b'), slice('a-1'), cluster]);
  tables.applyChanges({
    rows: [service('b', '10.96.0.2'), service('c')],
    removed: [{ resource: 'services', key: 'ns/a' }],
  });
  const again = open();
  expect(again.isKnown).toBe(true);
  expect(namesIn(again)).toEqual(['b', 'c']);
  expect(again.services.get('ns/b')?.spec?.clusterIP).toBe('10.96.0.2');
  expect(again.endpointSlices.get('ns/a-1')?.endpoints).toEqual([]);
  expect(again.clusterNetwork.get('cluster')).toEqual(CLUSTER);
  again.applySnapshot([service('c'), cluster]);
  expect(namesIn(open())).toEqual(['c']);
});

it('goes on after a line that was cut short or damaged', () => {
  open().applySnapshot([service('a'), cluster]);
  for (const damage of [
    '["services","ns/x"]\tnot JSON\n',
    '["services"\n',
    '["services","ns/y"]\t{"meta',
  ])
    appendFileSync(join(directory, 'network.jsonl'), damage);
  const again = open();
  expect(namesIn(again)).toEqual(['a']);
  again.applyChanges({ rows: [service('b')], removed: [] });
  expect(namesIn(open())).toEqual(['a', 'b']);
});

it('keeps a checkpoint that does not grow with the number of changes', () => {
  const tables = open();
  tables.applySnapshot([cluster]);
  const before = statSync(join(directory, 'network.jsonl')).size;
  for (let n = 0; n < 3000; n++)
    tables.applyChanges({ rows: [service('a', `10.96.${n >> 8}.${n & 255}`)], removed: [] });
  expect(statSync(join(directory, 'network.jsonl')).size).toBeLessThan(before + 600 * 1024);
  expect(open().services.get('ns/a')?.spec?.clusterIP).toBe('10.96.11.183');
});

it('writes nothing for rows that come again', () => {
  const tables = open();
  const rows = [service('a'), cluster];
  tables.applySnapshot(rows);
  const text = readFileSync(join(directory, 'network.jsonl'), 'utf8');
  const told: unknown[] = [];
  tables.services.onChange((keys) => told.push(keys));
  tables.applySnapshot(rows);
  expect(told).toEqual([]);
  expect(readFileSync(join(directory, 'network.jsonl'), 'utf8')).toBe(text);
});

it('tells of all that came together at once, when every table has it', () => {
  const tables = open();
  const told: unknown[] = [];
  tables.services.onChange(() => {
    throw new Error('one subscriber fails');
  });
  tables.services.onChange((keys) =>
    told.push([...keys, tables.endpointSlices.get('ns/a-1') !== undefined]),
  );
  tables.applySnapshot([service('a'), service('b'), slice('a-1'), cluster]);
  tables.applyChanges({
    rows: [service('a', '10.96.0.9'), row('services', 'ns/bad', { metadata: 7 })],
    removed: [{ resource: 'services', key: 'ns/b' }],
  });
  expect(told).toEqual([
    ['ns/a', 'ns/b', true],
    ['ns/b', 'ns/a', true],
  ]);
});

it('makes those wait who need to know, no longer than they will', async () => {
  const tables = open();
  const { signal } = new AbortController();
  await tables.whenKnown(1, signal);
  expect(tables.isKnown).toBe(false);
  const known = tables.whenKnown(60_000, signal);
  tables.applySnapshot([cluster]);
  await known;
  expect(tables.isKnown).toBe(true);
});
