import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import type { RuntimeEvent } from '../container-runtime';
import { DEFAULT_LIMITS } from './limits';
import { MonitoredContainer } from './monitored-container';
import { exitRecord, RunFiles, type ExitRecord, type RawExit } from './records';
import { containerSpec } from './runtime-suite';

const raw = (exitCode: number): RawExit => ({
  exitCode,
  signalNumber: 0,
  oomKilled: false,
  startedAtMs: 1,
  finishedAtMs: 2,
  startError: '',
});

let dir: string;
let files: RunFiles;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'monitored-'));
  files = new RunFiles(join(dir, 'run'), join(dir, 'state'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const record = () => {
  const harness = { lowerDirs: [], logDir: dir } as never;
  return { spec: containerSpec(harness, 'c1', 'true'), createdAtMs: 1 };
};

const containerOf = (endOrphan: () => Promise<ExitRecord>) => {
  const events: RuntimeEvent[] = [];
  const container = new MonitoredContainer(record(), {
    files,
    clock: systemClock,
    log: silentLog,
    limits: DEFAULT_LIMITS,
    publish: (event) => events.push(event),
    endOrphan,
  });
  return { container, events };
};

it('keeps the exit of a monitor that ends while it is looked for', async () => {
  files.makeContainer(record());
  // It is not there at the first look; the monitor writes it and goes before the connection is made.
  const readExit = files.readExit.bind(files);
  files.readExit = () => {
    files.readExit = readExit;
    files.settleExit('c1', raw(7));
    return undefined;
  };
  const { container, events } = containerOf(() => Promise.reject(new Error('it had ended')));
  await container.adopt();
  expect(container.state()).toMatchObject({ status: 'exited', exit: { exitCode: 7 } });
  expect(events).toMatchObject([{ type: 'exit', exit: { exitCode: 7 } }]);
});

it('tries again to end a container without a monitor', async () => {
  files.makeContainer(record());
  let tries = 0;
  const { container } = containerOf(() =>
    ++tries === 1 ? Promise.reject(new Error('busy')) : Promise.resolve(exitRecord(raw(137))),
  );
  await container.adopt();
  expect(tries).toBe(2);
  expect(container.state()).toMatchObject({ status: 'exited', exit: { exitCode: 137 } });
});

it('never takes the place of an exit that is written down', () => {
  files.makeContainer(record());
  expect(files.settleExit('c1', raw(3)).exit.exitCode).toBe(3);
  expect(files.settleExit('c1', raw(137)).exit.exitCode).toBe(3);
  expect(files.readExit('c1')?.exit.exitCode).toBe(3);
});
