import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterPaths } from '../../cli/cluster-paths';
import { readKubeconfig } from '../../client/kubeconfig';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-connecting';
const cluster = sharedCluster(NAME, { nodes: 1 });
const directory = mkdtempSync(join(tmpdir(), 'dhow-connecting-'));

afterEach(() => cluster.clear());
afterAll(() => rmSync(directory, { recursive: true }));

const at = (name: string) => join(directory, name);
const write = (name: string, content: string, mode = 0o600): string => {
  writeFileSync(at(name), content, { mode });
  return at(name);
};

/** The same words for both, and the same answer. */
const same = async (...words: string[]) => {
  const [ours, theirs] = [await cluster.dhow(...words), await cluster.kubectl(...words)];
  expect({ words, ...ours }).toEqual({ words, ...theirs });
  return ours.stdout;
};

describe('a server and a user on the command line', () => {
  it('go before those of the file', async () => {
    const { server, ca } = await readKubeconfig(clusterPaths(NAME).kubeconfig);
    const authority = write('ca.crt', ca ?? '');
    const empty = ['--kubeconfig', write('empty', '{}')];
    const token = (await cluster.must('create', 'token', 'default')).trim();
    const there = ['-s', server, '--token', token, 'get', 'secrets', ...empty];
    const forbidden = 'User "system:serviceaccount:default:default" cannot list resource';
    await same(...there, '--certificate-authority', authority);
    await same(...there, '--insecure-skip-tls-verify');
    await same('-s', server, 'get', 'ns', '--kubeconfig', at('none'));
    expect((await cluster.dhow(...there, '--insecure-skip-tls-verify')).stderr).toContain(
      forbidden,
    );
    // Without the authority nobody is believed.
    expect((await cluster.dhow(...there)).stderr).toContain('Unable to connect to the server');
    // The file's certificate does not win over the token, as it does with kubectl.
    expect((await cluster.dhow('get', 'secrets', '--token', token)).stderr).toContain(forbidden);
  });

  it('must have the name that is asked for', async () => {
    await same('get', 'ns', 'default', '-o', 'name', '--tls-server-name=kubernetes');
    const { code, stderr } = await cluster.dhow('get', 'ns', '--tls-server-name=other.example');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('other.example') as string,
    });
  });

  it('are refused in halves', async () => {
    const refused = async (...words: string[]) =>
      (await cluster.dhow('get', 'ns', ...words)).stderr;
    expect(await refused('--client-key', 'x')).toContain('given together');
    expect(await refused('--certificate-authority=x', '--insecure-skip-tls-verify')).toContain(
      'not allowed',
    );
    expect(await refused('-s', 'http://127.0.0.1:1')).toContain('is not an https URL');
    expect(await refused('--request-timeout', 'soon')).toContain('is not a duration');
    expect(await refused('--user', 'nobody')).toContain('user "nobody" does not exist');
  });

  it('are given up where nobody answers in time', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    try {
      const words = ['-s', `https://127.0.0.1:${port}`, '--request-timeout', '500ms', 'get', 'ns'];
      const { code, stderr } = await cluster.dhow(...words);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringContaining('did not answer within 500 ms') as string,
      });
    } finally {
      silent.close();
    }
  });
});

it('has a program say who one is', async () => {
  const token = (await cluster.must('create', 'token', 'default')).trim();
  copyFileSync(clusterPaths(NAME).kubeconfig, at('exec'));
  const answer = JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token },
  });
  write('login', `#!/bin/sh\necho asked >> ${at('asked')}\necho '${answer}'\n`, 0o700);
  const file = ['--kubeconfig', at('exec')];
  const { context } = await readKubeconfig(at('exec'));
  await cluster.must('config', 'set-context', context, '--user=bot', ...file);
  const whole = JSON.parse(readFileSync(at('exec'), 'utf8')) as { users: object[] };
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: './login',
    interactiveMode: 'Never',
  };
  whole.users.push({ name: 'bot', user: { exec } });
  write('exec', JSON.stringify(whole));
  expect(await same('auth', 'whoami', ...file)).toContain('system:serviceaccount:default:default');
  expect(readFileSync(at('asked'), 'utf8')).toBe('asked\nasked\n');
});

it('changes single fields of the kubeconfig', async () => {
  const sides = ['ours', 'theirs'].map((name) => {
    copyFileSync(clusterPaths(NAME).kubeconfig, at(name));
    return ['--kubeconfig', at(name)];
  });
  const both = async (...words: string[]) => {
    const [ours, theirs] = [
      await cluster.dhow('config', ...words, ...(sides[0] ?? [])),
      await cluster.kubectl('config', ...words, ...(sides[1] ?? [])),
    ];
    expect({ words, ...ours }).toEqual({ words, ...theirs });
    const view = ['config', 'view', '-o', 'json', '--raw'];
    const [mine, others] = [
      await cluster.kubectl(...view, ...(sides[0] ?? [])),
      await cluster.kubectl(...view, ...(sides[1] ?? [])),
    ];
    expect(mine).toEqual(others);
    return mine.stdout;
  };
  await both('set', 'clusters.new.server', 'https://10.0.0.1:6443');
  await both('set', 'contexts.new.cluster', 'new');
  await both('set', 'clusters.new.insecure-skip-tls-verify', 'true');
  await both('set', 'clusters.new.certificate-authority-data', 'QQ==');
  await both('set', 'users.bot.token', 'hush', '--set-raw-bytes=true');
  await both('set', 'current-context', 'new');
  await both('unset', 'clusters.new.certificate-authority-data');
  await both('unset', 'users.bot');
  expect(await both('unset', 'contexts.new')).toContain('https://10.0.0.1:6443');
});

it('shows where the cluster is, and what all commands have', async () => {
  const { server } = await readKubeconfig(clusterPaths(NAME).kubeconfig);
  expect(await cluster.must('cluster-info')).toContain(
    `Kubernetes control plane is running at ${server}\n`,
  );
  expect(await cluster.must('options')).toMatch(/--request-timeout <duration> .*\n/);
});
