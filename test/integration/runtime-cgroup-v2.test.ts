import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { CgroupV2Driver } from '../../runtime/cgroups';

const ROOT = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((dir) =>
  existsSync(join(dir, 'cgroup.controllers')),
);

const suite = ROOT === undefined ? describe.skip : describe;

/** What needs no controller works on the v2 half of a hybrid host as well. */
suite('the cgroup v2 driver on the unified hierarchy', () => {
  const driver = new CgroupV2Driver(ROOT);
  const parent = `dhow-test-v2-${process.pid}`;
  const path = `${parent}/box/c1`;

  afterEach(async () => {
    await driver.killAll(parent);
    await driver.remove(parent);
  });

  const startIn = (cgroup: string) => {
    const child = spawn('/bin/sh', ['-c', 'read go; (sleep 1000 &); exec sleep 1000'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    for (const file of driver.joinFiles(cgroup)) writeFileSync(file, String(child.pid));
    child.stdin.end('\n');
    return new Promise<void>((resolve) => child.once('exit', () => resolve()));
  };

  it('kills all processes below and removes the tree', async () => {
    driver.create(path);
    const ended = startIn(path);
    expect(driver.processes(parent).length).toBeGreaterThan(0);
    await driver.killAll(parent);
    await ended;
    expect(driver.processes(parent)).toEqual([]);
    await driver.remove(parent);
    await driver.remove(parent);
    expect(existsSync(join(ROOT!, parent))).toBe(false);
  });

  it('freezes and kills what is frozen', async () => {
    driver.create(path);
    const ended = startIn(path);
    driver.freeze(path, true);
    const frozen = () =>
      readFileSync(join(ROOT!, path, 'cgroup.events'), 'utf8').includes('frozen 1');
    for (let i = 0; i < 500 && !frozen(); i++) await new Promise((next) => setTimeout(next, 5));
    expect(frozen()).toBe(true);
    await driver.killAll(path);
    await ended;
  });

  it('counts nothing where nothing is counted', () => {
    driver.create(path);
    expect(driver.oomKillCount(path)).toBe(0);
    expect(driver.stats(path)).toMatchObject({ memoryBytes: 0, pidsCount: 0 });
  });
});
