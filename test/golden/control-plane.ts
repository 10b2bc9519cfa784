import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../../api/cluster-network';
import { NODES } from '../../api/resources';
import { ApiEventRecorder } from '../../client/events';
import { Informers } from '../../client/informers';
import { writeKubeconfig } from '../../control-plane/pki/kubeconfig';
import { createApiServer } from '../../control-plane/api-server/api-server';
import { NO_NODES } from '../../control-plane/api-server/testing';
import { createControllers, runControllers } from '../../control-plane/controllers';
import { openPki } from '../../control-plane/pki/pki';
import { ensureSystemServices } from '../../control-plane/system-services';
import { createScheduler } from '../../control-plane/scheduler';
import { MemoryStore } from '../../control-plane/store/memory-store';
import { createWatchCaches } from '../../control-plane/store/watch-caches';
import { TaskGroup } from '../../lib/async/task-group';
import { systemClock as clock } from '../../lib/clock';
import { createLog } from '../../lib/log';
import { systemRandom as random } from '../../lib/random';
import type { ApiClient } from '../../client/api-client';
import { lateBound } from '../../lib/late-bound';

/**
 * A whole control plane in one process over a memory store, for recordings of what kubectl prints:
 * `node control-plane.js DIR`. It writes DIR/pki, DIR/admin.kubeconfig and DIR/dev.kubeconfig, then
 * a line with its address.
 */
const main = async (directory: string): Promise<void> => {
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort());
  process.once('SIGINT', () => stop.abort());
  const log = createLog(process.env['LOG_LEVEL'] ?? 'warn');
  await mkdir(directory, { recursive: true });
  const pki = await openPki({ directory: join(directory, 'pki'), serverNames: [], clock });
  const store = new MemoryStore();
  await using caches = createWatchCaches({ store, clock, log });
  const late = lateBound<ApiClient>('the API');
  const scheduler = createScheduler({ client: late.proxy, clock, random, log });
  await using server = createApiServer({
    store,
    caches,
    tls: pki,
    serviceAccountKey: pki.serviceAccountKey,
    nodeConnections: NO_NODES,
    virtualResources: [scheduler.decisions, scheduler.explanations],
    clock,
    random,
    log,
    version: '0.1.0',
  });
  const { client } = server;
  late.bind(client);
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const address = `https://127.0.0.1:${port}`;
  await ensureSystemServices({
    client: server.client,
    network: clusterNetworkOf(DEFAULT_CLUSTER_NETWORK),
    // The recorded server says nowhere how nodes reach it.
    ...{ apiAddress: undefined, apiPort: port, servers: NO_SERVERS, clock, log },
  });
  const { caCertificate } = pki;
  await writeKubeconfig(join(directory, 'admin.kubeconfig'), {
    server: address,
    caCertificate,
    client: pki.admin,
  });
  await writeKubeconfig(join(directory, 'dev.kubeconfig'), {
    server: address,
    caCertificate,
    client: await pki.issueClient('dev'),
  });
  const informers = new Informers({ client, clock, random, log });
  const eventsFor = (component: string) => new ApiEventRecorder({ client, clock, log, component });
  const controllers = createControllers(
    { client, informers, eventsFor, clock, random, log },
    {
      served: server.kinds,
      caCertificate: () => caCertificate,
      nodeGracePeriodMs: 40_000,
    },
  );
  informers.of(NODES);
  await using group = new TaskGroup(stop.signal);
  group.run((signal) => informers.run(signal));
  group.run((signal) => runControllers(controllers, { clock, random, log }, signal));
  group.run((signal) => scheduler.run(signal));
  process.stdout.write(`${address}\n`);
  await group.wait();
};

void main(process.argv[2] ?? '.');

const NO_SERVERS = { live: () => [], onChange: () => () => undefined };
