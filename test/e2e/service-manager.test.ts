import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DHOW, exitStatus, runDhow } from './support/cluster';
import { NotifyListener } from './support/notify-listener';

/** Server and agent as their units start them: by a file of flags, and with somebody who listens. */
describe('a service of systemd', () => {
  let directory = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dhow-service-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (kind: string, config: object, listener: NotifyListener): ChildProcess => {
    const file = join(directory, `${kind}.yaml`);
    writeFileSync(file, JSON.stringify(config));
    // The event loop has a second.
    const watchdog = { NOTIFY_SOCKET: listener.path, WATCHDOG_USEC: '1000000' };
    const env = { ...process.env, ...watchdog, WATCHDOG_PID: '' };
    const script = 'export WATCHDOG_PID=$$; exec "$@"';
    return spawn('sh', ['-c', script, 'sh', process.execPath, DHOW, kind, '--config', file], {
      env,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
  };

  it('says when it is ready, that it lives, and that it stops', async () => {
    using atServer = new NotifyListener(join(directory, 'server.sock'));
    using atAgent = new NotifyListener(join(directory, 'agent.sock'));
    const data = join(directory, 'server');
    const server = start('server', { 'data-dir': data, listen: '127.0.0.1:17443' }, atServer);
    let agent: ChildProcess | undefined;
    try {
      await until(() => atServer.words().includes('READY=1'), server);
      expect(existsSync(join(data, 'join-token'))).toBe(true);
      const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8');
      const etcd = readFileSync(`/proc/${children.trim()}/environ`, 'utf8');
      expect(etcd).not.toContain('NOTIFY_SOCKET');
      const config = {
        ...{ server: '127.0.0.1:17443', 'token-file': join(data, 'join-token'), name: 'served' },
        ...{ 'state-dir': join(directory, 'agent'), 'run-dir': join(directory, 'run') },
        ...{ 'cgroup-parent': 'dhow-served', 'eviction-hard': [], 'ingress-http-port': 0 },
        ...{ 'ingress-https-port': 0, label: ['rack=7'] },
      };
      agent = start('agent', config, atAgent);
      await until(() => atAgent.words().includes('READY=1'), agent);
      const before = signsOf(atAgent) + signsOf(atServer);
      await until(() => signsOf(atAgent) + signsOf(atServer) > before + 4, agent);
      const kubeconfig = ['--kubeconfig', join(data, 'admin.kubeconfig')];
      const found = ['get', 'nodes', '-l', 'rack=7', '-o', 'name', ...kubeconfig];
      await until(async () => (await runDhow(...found)).stdout === 'node/served\n', agent);
    } finally {
      if (agent !== undefined) await stop(agent);
      await stop(server);
    }
    for (const listener of [atServer, atAgent]) {
      const words = listener.words().filter((word) => word !== 'WATCHDOG=1');
      expect(words).toEqual(['READY=1', 'STOPPING=1']);
    }
  });

  it('names file, line and flag when its file is wrong', async () => {
    const file = join(directory, 'agent.yaml');
    writeFileSync(file, 'server: 127.0.0.1:17443\nmax-pods: many\n');
    expect(await runDhow('agent', '--config', file)).toMatchObject({
      code: 1,
      stderr: `error: ${file}:2: max-pods: --max-pods: "many" is not a whole number\n`,
    });
    writeFileSync(file, 'max-pods: 3\n');
    const { stderr } = await runDhow('agent', '--config', file);
    expect(stderr).toMatch(/^error: required option '--server <host:port>' not specified\n/);
  });
});

const signsOf = (listener: NotifyListener): number =>
  listener.words().filter((word) => word === 'WATCHDOG=1').length;

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const status = exitStatus(child);
  child.kill('SIGTERM');
  await status;
};

const until = async (
  probe: () => boolean | Promise<boolean>,
  alive: ChildProcess,
): Promise<void> => {
  const endMs = Date.now() + 90_000;
  while (!(await probe())) {
    if (alive.exitCode !== null) throw new Error(`it has ended: ${alive.exitCode}`);
    if (Date.now() > endMs) throw new Error('not in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
