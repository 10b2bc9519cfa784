import { deploymentYaml, shell } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const cluster = sharedCluster('e2e-ingress', { nodes: 1 });

afterEach(() => cluster.clear());

const serve = (text: string) => `mkdir /w; cd /w; echo ${text} > index.html; exec httpd -f -p 8080`;

const pathTo = (path: string, name: string) => ({
  ...{ path, pathType: 'Prefix' },
  backend: { service: { name, port: { number: 80 } } },
});

it('leads hosts and paths to the services that an ingress names', async () => {
  for (const name of ['one', 'two']) {
    await cluster.apply(deploymentYaml(name, 1, ['sh', '-c', serve(name)]));
    await cluster.must('expose', `deploy/${name}`, '--port=80', '--target-port=8080');
  }
  const rules = [
    { host: 'a.example', http: { paths: [pathTo('/', 'one'), pathTo('/index.html', 'two')] } },
  ];
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web' },
  };
  await cluster.apply(JSON.stringify({ ...ingress, spec: { rules } }));
  const path = 'jsonpath={.items[0].status.addresses[0].address}';
  const address = await cluster.must('get', 'nodes', '-o', path);
  const ask = async (host: string, url: string) =>
    (await shell(`curl -s --max-time 10 -H 'Host: ${host}' http://${address}${url}`)).stdout.trim();
  await cluster.until('one', async () => (await ask('a.example', '/')) === 'one');
  await cluster.until('two', async () => (await ask('a.example', '/index.html')) === 'two');
  expect(await ask('b.example', '/')).toBe('404 page not found');
});
