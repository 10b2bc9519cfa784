import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DHOW, exitStatus, runDhow } from './support/cluster';

jest.setTimeout(300_000);

/** `dhow etcd snapshot` and `dhow certs rotate`, as an administrator gives them on the server's machine. */
let directory: string;
let passphrase: string;
const running = new Set<ChildProcess>();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-snapshots-'));
  passphrase = join(directory, 'passphrase');
  writeFileSync(passphrase, 'correct horse battery staple\nand a second line\n');
});
afterEach(async () => {
  for (const server of running) await stop(server);
  rmSync(directory, { recursive: true, force: true });
});

/** Resolves once it serves. */
const start = async (dataDir: string, ...flags: readonly string[]): Promise<ChildProcess> => {
  const all = [DHOW, 'server', '--data-dir', dataDir, '--listen', '127.0.0.1:0', ...flags];
  const server = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'ignore'] });
  running.add(server);
  let said = '';
  for await (const chunk of server.stdout) {
    said += String(chunk);
    if (said.includes('join:')) return server;
  }
  throw new Error(`the server ended: ${said}`);
};

const stop = async (server: ChildProcess): Promise<void> => {
  running.delete(server);
  if (server.exitCode !== null || server.signalCode !== null) return;
  const status = exitStatus(server);
  server.kill('SIGTERM');
  await status;
};

const must = async (...argv: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await runDhow(...argv);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};

const refusal = async (...argv: readonly string[]): Promise<string> => {
  const { code, stderr } = await runDhow(...argv);
  expect(code).toBe(1);
  return stderr;
};

const snapshot = (...argv: readonly string[]) => ['etcd', 'snapshot', ...argv];
const here = (dataDir: string) => ['--kubeconfig', join(dataDir, 'admin.kubeconfig')];

it('saves a cluster, tells what it saved, and brings it back in another folder', async () => {
  const [dataDir, next] = [join(directory, 'a'), join(directory, 'b')];
  const file = join(directory, 'saved');
  const sealed = ['--passphrase-file', passphrase];
  const server = await start(dataDir);
  await must('create', 'secret', 'generic', 'db', '--from-literal=a=b', ...here(dataDir));
  const save = snapshot('save', '--data-dir', dataDir);
  expect(await refusal(...save)).toContain('give --passphrase-file FILE to seal it, or --unsealed');
  expect(await must(...save, file, ...sealed)).toMatch(/^saved .*saved: \d+ KiB, revision \d+\n$/);
  expect(await refusal(...save, file, ...sealed)).toContain('is there already');
  await must(...save, '--unsealed');
  const list = await must(...snapshot('list', '--data-dir', dataDir));
  expect(list).toMatch(/^NAME +CLUSTER +AGE .*\ndhow-.*\.snapshot +dhow +\d+s +\d+ +no /);
  expect(await refusal(...snapshot('verify', file))).toContain('its passphrase is needed');
  expect(await must(...snapshot('verify', file, ...sealed))).toContain('pki/encryption-keys.json');
  const restore = snapshot('restore', file, ...sealed, '--data-dir');
  expect(await refusal(...restore, dataDir)).toContain('is not empty');
  await stop(server);
  expect(await must(...restore, next)).toContain('older watches begin anew');
  await start(next);
  const found = await must('get', 'secret', 'db', '-o', 'jsonpath={.data.a}', ...here(next));
  expect(found).toBe('Yg==');
});

it('saves by schedule, and refuses a schedule that would leave keys in the open', async () => {
  const dataDir = join(directory, 'a');
  const schedule = ['--snapshot-schedule', '@every 1s'];
  const wrong = ['server', '--data-dir', dataDir, '--listen', '127.0.0.1:0', ...schedule];
  expect(await refusal(...wrong)).toContain('needs --snapshot-passphrase-file');
  await start(dataDir, ...schedule, '--snapshot-passphrase-file', passphrase);
  const list = snapshot('list', '--data-dir', dataDir, '-o', 'json');
  let names: string[] = [];
  while (names.length === 0) {
    const { items } = JSON.parse(await must(...list)) as { items: readonly { name: string }[] };
    names = items.map(({ name }) => name);
  }
  expect(names[0]).toMatch(/^scheduled-dhow-.*\.snapshot$/);
});

it('has a server that runs take up new certificates, and its administrator go on', async () => {
  const dataDir = join(directory, 'a');
  await start(dataDir);
  const kubeconfig = () => readFileSync(join(dataDir, 'admin.kubeconfig'), 'utf8');
  const before = kubeconfig();
  const said = await must('certs', 'rotate', '--data-dir', dataDir);
  expect(said).toMatch(/^server: made anew, good until .*\nadmin: made anew, good until /);
  while (kubeconfig() === before) await must('get', 'namespaces', ...here(dataDir));
  await must('get', 'namespaces', ...here(dataDir));
});
