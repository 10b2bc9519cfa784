import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { Kubectl, type KubectlResult } from './kubectl';

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

type Options = Partial<ApiServerDeps> & Pick<ApiServerDeps, 'nodeConnections'>;

export const startKubectlServer = async (
  options: Options,
  store: Store = new MemoryStore(),
): Promise<KubectlServer> => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-kubectl-'));
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
  const tool = await Kubectl.unpack(directory, kubeconfig);
  return {
    ...{ server, port, pki, directory, kubectlPath: tool.path, env: tool.env },
    kubectl: (args, input) => tool.run(args, input),
    ok: (args, input) => tool.ok(args, input),
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
