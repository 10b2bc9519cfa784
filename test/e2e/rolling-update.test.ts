import { dirname } from 'node:path';

import type { Pod } from '../../api/types';
import { sharedCluster } from './support/shared-cluster';
import { startLoad } from './support/steady-load';

jest.setTimeout(300_000);

const NAME = 'e2e-rolling';
const cluster = sharedCluster(NAME, { nodes: 2 });

afterEach(() => cluster.clear());

const REQUESTS_PER_SECOND = 1_000;

/** Answers with its name and version. Told to stop, it ends connections with their next answer, and leaves with the last. */
const SERVER = `
const server = require('node:http').createServer((_request, response) => {
  if (isStopping) response.setHeader('connection', 'close');
  response.end(process.env.HOSTNAME + ' ' + process.env.VERSION);
});
let isStopping = false;
server.keepAliveTimeout = 0;
server.listen(8080);
process.on('SIGTERM', () => {
  isStopping = true;
  setInterval(() => server.getConnections((_error, count) => count === 0 && process.exit(0)), 200);
});`;

/** Node.js and its libraries are the machine's own, which the image has not. */
const FOLDERS = [...new Set([dirname(process.execPath), '/lib', '/lib64', '/usr/lib'])];

const deployment = (version: string): string =>
  JSON.stringify({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: 'web',
              image: 'dhow.local/busybox:1',
              imagePullPolicy: 'IfNotPresent',
              command: [process.execPath, '-e', SERVER],
              env: [
                { name: 'VERSION', value: version },
                { name: 'HOSTNAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              ],
              readinessProbe: {
                httpGet: { path: '/', port: 8080 },
                periodSeconds: 1,
                timeoutSeconds: 5,
              },
              lifecycle: { preStop: { sleep: { seconds: 3 } } },
              volumeMounts: FOLDERS.map((path, i) => ({
                name: `f${i}`,
                mountPath: path,
                readOnly: true,
              })),
            },
          ],
          volumes: FOLDERS.map((path, i) => ({ name: `f${i}`, hostPath: { path } })),
        },
      },
    },
  });

const SERVICE = JSON.stringify({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } },
  spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
});

const podNames = async (): Promise<readonly string[]> => {
  const { items } = JSON.parse(
    await cluster.must('get', 'pods', '-l', 'app=web', '-o', 'json'),
  ) as { readonly items: readonly Pod[] };
  return items.map(({ metadata }) => metadata.name);
};

it('replaces all pods of a server that heeds its grace under 1,000 requests a second, and none fails', async () => {
  await cluster.apply(SERVICE);
  await cluster.apply(deployment('1'));
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=120s');
  const old = await podNames();
  const field = (kind: readonly string[], path: string) =>
    cluster.must('get', ...kind, '-o', `jsonpath={${path}}`);
  const nodePort = Number(await field(['svc', 'web'], '.spec.ports[0].nodePort'));
  const internal = '.status.addresses[?(@.type=="InternalIP")].address';
  const [node = ''] = (await field(['nodes'], `.items[*]${internal}`)).split(' ');

  await using load = startLoad(node, nodePort, REQUESTS_PER_SECOND);
  await cluster.apply(deployment('2'));
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=180s');
  await cluster.until('the old pods have gone', async () =>
    (await podNames()).some((name) => old.includes(name)) ? undefined : true,
  );
  const { answered, servers, failures } = await load.end();
  expect(failures).toEqual([]);
  expect(servers).toEqual(expect.arrayContaining(await podNames()));
  expect(servers.filter((name) => old.includes(name)).sort()).toEqual([...old].sort());
  expect(answered).toBeGreaterThan(REQUESTS_PER_SECOND);
});
