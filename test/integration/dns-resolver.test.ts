import { appendFileSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { systemRandom } from '../../lib/random';
import { stringifyJson } from '../../lib/json';
import { readRecord, stopCompanion } from '../../node-agent/companion/record';
import { ResolverKeeper } from '../../node-agent/dns/keeper/resolver-keeper';
import { queryFor, readAnswer, service, slice } from '../../node-agent/dns/testing';
import { NetworkTables } from '../../node-agent/session/network-tables';
import { ask, askByTcp, askByUdp, type DnsServer } from './support/dns-client';

jest.setTimeout(120_000);

const PROGRAM = join(__dirname, '../../dist/dns-resolver.js');
const ADDRESS = '127.53.0.10';
const CLUSTER = {
  ...{ podCidrs: ['10.42.0.0/16'], serviceCidrs: ['10.96.0.0/16'], clusterDns: [ADDRESS] },
  ...{ nodePortRange: { first: 30_000, last: 32_767 }, clusterDomain: 'cluster.local' },
};
const row = (resource: string, key: string, value: unknown) => ({
  ...{ resource, key, version: '' },
  json: Buffer.from(stringifyJson(value)),
});
const web = (address: string) =>
  row('services', ...service('web', { clusterIP: address, ports: [{ port: 80 }] }));
const cluster = row('clusternetwork', 'cluster', CLUSTER);
const WEB = 'web.default.svc.cluster.local';

let directory: string;
let tables: NetworkTables;
let server: DnsServer;
let running: { stop: () => Promise<void> }[] = [];
let nextPort = 15_300 + (process.pid % 1000) * 20;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dns-'));
  tables = new NetworkTables(directory, silentLog, systemClock);
  server = { address: ADDRESS, port: nextPort++ };
});

afterEach(async () => {
  for (const { stop } of running) await stop();
  running = [];
  await stopCompanion(join(directory, 'dns'), systemClock);
  rmSync(directory, { recursive: true, force: true });
});

/** As an agent does. Its end leaves the resolver be. */
const keep = (network = tables, program = PROGRAM) => {
  const stopping = new AbortController();
  const keeper = new ResolverKeeper({
    ...{ directory: join(directory, 'dns'), program, port: server.port, network },
    ...{ resolvConf: '/nonexistent', clock: systemClock, random: systemRandom, log: silentLog },
  });
  const ended = keeper.run(stopping.signal);
  const stop = () => {
    stopping.abort();
    return ended;
  };
  running.push({ stop });
  return { stop };
};

const until = async (isDone: () => Promise<boolean>): Promise<void> => {
  const endMs = systemClock.monotonicMs() + 60_000;
  while (!(await isDone())) {
    if (systemClock.monotonicMs() > endMs) throw new Error('it never came to pass');
    await systemClock.sleep(20);
  }
};

const isAnswered = (name: string, answer: string) => async () => {
  const message = await askByUdp(server, queryFor(name, 'A'), 300);
  return message !== undefined && readAnswer(message).answers.join() === answer;
};

const recordedPid = () => readRecord(join(directory, 'dns'))?.pid;

it('answers nothing before all is known, and then by UDP and TCP', async () => {
  keep();
  tables.applyChanges({ rows: [web('10.96.0.7')], removed: [] });
  expect(await askByUdp(server, queryFor(WEB, 'A'), 500)).toBeUndefined();
  tables.applyChanges({ rows: [cluster], removed: [] });
  await until(isAnswered(WEB, 'A 10.96.0.7'));
  expect((await ask(server, 'none.default.svc.cluster.local'))?.rcode).toBe('NXDOMAIN');
  expect((await ask(server, 'example.com'))?.rcode).toBe('SERVFAIL');
  const names = Array.from({ length: 100 }, (_none, id) => queryFor(WEB, 'A', { id }));
  const answers = await askByTcp(server, names);
  expect(answers.map((answer) => answer.readUInt16BE(0))).toEqual(names.map((_name, id) => id));
  expect(new Set(answers.map((answer) => readAnswer(answer).answers.join()))).toEqual(
    new Set(['A 10.96.0.7']),
  );
});

it('has room for an answer by TCP that UDP has none for', async () => {
  const endpoints = Array.from({ length: 250 }, (_none, i) => ({ addresses: [`10.42.0.${i}`] }));
  tables.applySnapshot([
    row('services', ...service('db', { clusterIP: 'None' })),
    row('endpointslices', ...slice('db-1', 'db', { endpoints })),
    cluster,
  ]);
  keep();
  const name = 'db.default.svc.cluster.local';
  await until(async () => (await ask(server, name))?.isTruncated === true);
  const [whole] = await askByTcp(server, [queryFor(name, 'A')]);
  expect(readAnswer(whole!).answers).toHaveLength(250);
});

it('outlives its agent, and is taken over by the next, with what has changed', async () => {
  tables.applySnapshot([web('10.96.0.7'), cluster]);
  const first = keep();
  await until(isAnswered(WEB, 'A 10.96.0.7'));
  const pid = recordedPid();
  await first.stop();
  expect((await ask(server, WEB))?.answers).toEqual(['A 10.96.0.7']);
  const later = new NetworkTables(join(directory, 'later'), silentLog, systemClock);
  const api = row('services', ...service('api', { clusterIP: '10.96.0.9' }));
  later.applySnapshot([api, cluster]);
  keep(later);
  await until(isAnswered('api.default.svc.cluster.local', 'A 10.96.0.9'));
  expect((await ask(server, WEB))?.rcode).toBe('NXDOMAIN');
  later.applyChanges({
    rows: [web('10.96.0.8')],
    removed: [{ resource: 'services', key: 'default/api' }],
  });
  await until(isAnswered(WEB, 'A 10.96.0.8'));
  expect((await ask(server, 'api.default.svc.cluster.local'))?.rcode).toBe('NXDOMAIN');
  expect(recordedPid()).toBe(pid);
});

it('is begun anew when it is killed', async () => {
  tables.applySnapshot([web('10.96.0.7'), cluster]);
  keep();
  await until(isAnswered(WEB, 'A 10.96.0.7'));
  const pid = recordedPid()!;
  process.kill(pid, 'SIGKILL');
  await until(async () => recordedPid() !== pid && (await isAnswered(WEB, 'A 10.96.0.7')()));
});

it('gives way to another program without one question that gets no answer', async () => {
  tables.applySnapshot([web('10.96.0.7'), cluster]);
  const first = keep();
  await until(isAnswered(WEB, 'A 10.96.0.7'));
  const pid = recordedPid()!;
  await first.stop();
  // Beside the first: both load what lies there.
  const other = PROGRAM.replace(/\.js$/, `-${process.pid}.js`);
  let isOver = false;
  const answers: (string | undefined)[] = [];
  const asking = (async () => {
    while (!isOver) answers.push((await ask(server, WEB))?.answers.join());
  })();
  try {
    copyFileSync(PROGRAM, other);
    appendFileSync(other, '\n');
    keep(tables, other);
    const isRunning = () => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    await until(async () => recordedPid() !== pid && !isRunning());
  } finally {
    isOver = true;
    await asking;
    rmSync(other, { force: true });
  }
  expect(new Set(answers)).toEqual(new Set(['A 10.96.0.7']));
});

it('ends when its folder is gone', async () => {
  tables.applySnapshot([web('10.96.0.7'), cluster]);
  const agent = keep();
  await until(isAnswered(WEB, 'A 10.96.0.7'));
  await agent.stop();
  rmSync(join(directory, 'dns'), { recursive: true });
  await until(async () => (await askByUdp(server, queryFor(WEB, 'A'), 300)) === undefined);
});
