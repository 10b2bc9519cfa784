import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfigPaths } from './files';
import { readKubeconfig } from '.';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'dhow-kubeconfig-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: object | string, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode });
  chmodSync(path, mode);
  return path;
};

const config = ({
  cluster = {},
  user = {},
  name = 'lab',
  ...rest
}: Record<string, unknown> = {}) => ({
  'current-context': name,
  contexts: [{ name, context: { cluster: name, user: name, namespace: `of-${String(name)}` } }],
  clusters: [{ name, cluster: { server: `https://${String(name)}:6443`, ...(cluster as object) } }],
  users: [{ name, user }],
  ...rest,
});

const program = (lines: string) => write('login', `#!/bin/sh\n${lines}\n`, 0o700);

const execOf = (more: object = {}) => ({
  exec: {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: './login',
    interactiveMode: 'Never',
    ...more,
  },
});

describe('several files', () => {
  it('are one: the first to say a thing counts', async () => {
    const a = write('a', config({ user: { token: 'first' } }));
    const b = write('b', config({ name: 'other' }));
    const c = write('c', config({ user: { token: 'second' } }));
    const all = [join(folder, 'absent'), a, b, c];
    expect(await readKubeconfig(all)).toMatchObject({
      server: 'https://lab:6443',
      authorization: 'Bearer first',
      namespace: 'of-lab',
    });
    expect(await readKubeconfig(all, { context: 'other' })).toMatchObject({
      server: 'https://other:6443',
    });
  });

  it('have paths from their own folders', async () => {
    mkdirSync(join(folder, 'deep'));
    write('deep/ca.crt', 'the authority');
    write('token', 'from a file\n');
    const deep = write('deep/config', config({ cluster: { 'certificate-authority': 'ca.crt' } }));
    const other = write('other', { users: [{ name: 'you', user: { tokenFile: 'token' } }] });
    expect(await readKubeconfig([other, deep], { user: 'you' })).toMatchObject({
      ca: 'the authority',
      authorization: 'Bearer from a file',
    });
  });

  it('are named by the environment', () => {
    expect(kubeconfigPaths(undefined, { KUBECONFIG: ':/a::/b:/a' })).toEqual(['/a', '/b']);
    expect(kubeconfigPaths('/c', { KUBECONFIG: '/a' })).toEqual(['/c']);
  });

  it('are missed by name where none is there', async () => {
    await expect(readKubeconfig([join(folder, 'x'), join(folder, 'y')])).rejects.toThrow(
      `kubeconfig ${folder}/x: it does not exist`,
    );
  });
});

describe('what is given beside the file', () => {
  it('goes before it', async () => {
    const path = write(
      'config',
      config({
        cluster: { 'tls-server-name': 'old', 'insecure-skip-tls-verify': true },
        user: { token: 'theirs', 'client-key-data': 'QQ==', as: 'ann' },
      }),
    );
    write('ca', 'given');
    const read = await readKubeconfig(path, {
      server: 'https://10.0.0.1',
      token: 'mine',
      certificateAuthority: join(folder, 'ca'),
    });
    expect(read).toMatchObject({
      server: 'https://10.0.0.1',
      authorization: 'Bearer mine',
      key: undefined,
      ca: 'given',
      skipTlsVerify: false,
      impersonate: { user: 'ann' },
    });
    expect(read.tlsServerName).toBeUndefined();
  });

  it('needs no file where it names a server', async () => {
    expect(
      await readKubeconfig(join(folder, 'none'), { server: 'https://[::1]:6443', token: 't' }),
    ).toMatchObject({
      server: 'https://[::1]:6443',
      authorization: 'Bearer t',
      namespace: 'default',
    });
  });

  it.each(['http://10.0.0.1', '10.0.0.1:6443', 'nonsense'])(
    'refuses the server %s',
    async (server) => {
      await expect(readKubeconfig(write('config', config()), { server })).rejects.toThrow(
        `server "${server}" is not an https URL`,
      );
    },
  );
});

describe('ways to be somebody', () => {
  it('takes a name and password', async () => {
    const path = write('config', config({ user: { username: 'ann', password: 'a:b' } }));
    expect((await readKubeconfig(path)).authorization).toBe(
      `Basic ${Buffer.from('ann:a:b').toString('base64')}`,
    );
  });

  it.each([
    [{ cluster: { 'proxy-url': 'http://proxy' } }, 'proxy-url is not supported'],
    [{ user: { 'auth-provider': { name: 'oidc' } } }, 'auth-provider is not supported'],
  ])('refuses what it does not do: %j', async (parts, message) => {
    await expect(readKubeconfig(write('config', config(parts)))).rejects.toThrow(message);
  });

  it('has a program say it, told what it is for', async () => {
    program(
      `echo "$KUBERNETES_EXEC_INFO" > ${folder}/told; echo "$EXTRA $1" > ${folder}/extra\n` +
        `printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from a program"}}'`,
    );
    const exec = execOf({
      args: ['get-token'],
      env: [{ name: 'EXTRA', value: 'more' }],
      provideClusterInfo: true,
    });
    const path = write(
      'config',
      config({ user: exec, cluster: { 'certificate-authority-data': 'QQ==' } }),
    );
    expect((await readKubeconfig(path)).authorization).toBe('Bearer from a program');
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(join(folder, 'extra'), 'utf8')).toBe('more get-token\n');
    expect(JSON.parse(readFileSync(join(folder, 'told'), 'utf8'))).toEqual({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: {
        interactive: false,
        cluster: { server: 'https://lab:6443', 'certificate-authority-data': 'QQ==' },
      },
    });
  });

  const answer = (status: string, apiVersion = 'v1') =>
    `printf '%s' '{"apiVersion":"client.authentication.k8s.io/${apiVersion}","kind":"ExecCredential","status":${status}}'`;

  it.each([
    ['exit 3', {}, 'executable ./login failed with exit code 3'],
    ['kill -9 $$', {}, 'failed with SIGKILL'],
    ['echo {', {}, 'is not JSON'],
    ['echo {}', {}, 'is no ExecCredential'],
    [answer('{}'), {}, 'has neither a token nor a certificate'],
    [answer('{"clientCertificateData":"x"}'), {}, 'without the other'],
    [
      answer('{"token":"x"}', 'v1beta1'),
      {},
      'has apiVersion "client.authentication.k8s.io/v1beta1"',
    ],
    ['exec yes', {}, 'printed too much'],
    ['', { apiVersion: 'v1' }, 'exec.apiVersion: "v1" must be one of'],
    ['', { command: '' }, 'exec.command: it is missing'],
    [
      '',
      { command: 'dhow-no-such-program', installHint: 'get it there' },
      'dhow-no-such-program not found\n\nget it there',
    ],
    ['', { interactiveMode: undefined }, 'exec.interactiveMode: "" must be'],
  ])('refuses a program that does %j', async (lines, more, message) => {
    program(lines);
    const path = write('config', config({ user: execOf(more) }));
    await expect(readKubeconfig(path)).rejects.toThrow(
      message.replace('./login', join(folder, 'login')),
    );
  });
});
