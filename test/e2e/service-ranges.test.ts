import { podYaml, TestCluster } from './support/cluster';

jest.setTimeout(300_000);

const FROM = '10.97.0.0/24';
const SERVE = 'mkdir /w; cd /w; hostname > index.html; exec httpd -f -p 8080';

const range = (name: string, cidr: string) =>
  JSON.stringify({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name } },
    spec: { cidrs: [cidr] },
  });

const service = (clusterIP: string) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } },
    spec: { clusterIP, selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  });

it('leads services of a range that is added, and keeps the range while they need it', async () => {
  await using cluster = await TestCluster.start('e2e-ranges', { nodes: 1 });
  const kubectl = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await cluster.kubectl(...args);
    return code === 0 ? stdout : `${stdout}${stderr}`;
  };
  const ready = async (name: string) =>
    kubectl('get', 'servicecidr', name, '-o', 'jsonpath={.status.conditions[0].status}');
  await cluster.until('its own', async () => (await ready('kubernetes')) === 'True');
  expect(await kubectl('get', 'servicecidrs')).toMatch(
    /^NAME +CIDRS +AGE\nkubernetes +10\.96\.0\.0\/16 +\S+\n$/,
  );
  const { stderr } = await cluster.kubectlWith(service('10.97.0.7'), 'apply', '-f', '-');
  expect(stderr).toContain('the provided network does not match the current range');

  await cluster.apply(podYaml('web', ['sh', '-c', SERVE], {}, {}));
  await cluster.must('label', 'pod', 'web', 'app=web', '--overwrite');
  await cluster.apply(podYaml('client', ['sleep', '1000000']));
  await cluster.apply(range('more', FROM));
  await cluster.apply(service('10.97.0.7'));
  await cluster.podIsReady('web');
  await cluster.podIsReady('client');
  expect(await kubectl('get', 'ip', '10.97.0.7')).toMatch(
    /^NAME +PARENTREF\n10\.97\.0\.7 +services\/default\/web\n$/,
  );
  expect((await cluster.dhow('get', 'ipaddresses')).stdout).toMatch(
    /^NAME +PARENTREF\n(10\.96\.\S+ +services\/\S+\n)+10\.97\.0\.7 +services\/default\/web\n$/,
  );
  await cluster.untilSaid(/=IPv4\n[^]*Parent Reference:\n[^]*Resource: +services\n/, () =>
    cluster.kubectl('describe', 'ip', '10.97.0.7'),
  );
  expect(await kubectl('delete', 'ip', '10.97.0.7')).toMatch(/MethodNotAllowed.*with its Service/);
  const ask = async () => (await cluster.wget('client', 'http://10.97.0.7/')).stdout;
  await cluster.until('the address leads', async () => (await ask()) === 'web\n');
  await cluster.untilSaid(/CIDRs: +10\.97\.0\.0\/24/, () =>
    cluster.kubectl('describe', 'servicecidr', 'more'),
  );

  await kubectl('delete', 'servicecidr', 'more', '--wait=false');
  await cluster.untilSaid(/There are still IPAddresses referencing the ServiceCIDR/, () =>
    cluster.kubectl('describe', 'servicecidr', 'more'),
  );
  expect(await ask()).toBe('web\n');
  await cluster.must('delete', 'svc', 'web');
  await cluster.must('wait', 'servicecidr/more', '--for=delete', '--timeout=60s');
});
