import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';

import { clusterPaths } from '../../cli/cluster-paths';
import { podYaml, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(240_000);

const NAME = 'e2e-tokens';
const PLACE = '/var/run/secrets/kubernetes.io/serviceaccount';

let before: readonly string[];
let cluster: TestCluster;

beforeAll(async () => {
  before = sharedState();
  cluster = await TestCluster.start(NAME, { nodes: 1 });
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  expect(leftBehind(NAME, before)).toEqual([]);
});

afterEach(() => cluster.clear());

const inPod = async (...command: readonly string[]): Promise<string> =>
  cluster.must('exec', 'web', '--', ...command);
/** Who the API takes the bearer for; undefined when for nobody. */
const userOf = async (token: string): Promise<string | undefined> => {
  const { clusters } = JSON.parse(readFileSync(clusterPaths(NAME).kubeconfig, 'utf8')) as {
    readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  };
  const { server = '', 'certificate-authority-data': ca = '' } = clusters[0]?.cluster ?? {};
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const asked = request(`${server}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
    method: 'POST',
    ca: Buffer.from(ca, 'base64'),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  asked.end(JSON.stringify(review));
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const { status } = JSON.parse(await text(answer)) as {
    readonly status: { readonly userInfo?: { readonly username: string } };
  };
  return answer.statusCode === 201 ? status.userInfo?.username : undefined;
};

it('gives a pod what it needs to be known to the API, until it ends', async () => {
  await cluster.apply(podYaml('web', ['sleep', '1000000']));
  await cluster.podIsReady('web');
  expect(await inPod('cat', `${PLACE}/namespace`)).toBe('default');
  expect(await inPod('cat', `${PLACE}/ca.crt`)).toContain('BEGIN CERTIFICATE');
  const token = await inPod('cat', `${PLACE}/token`);
  expect(await userOf(token)).toBe('system:serviceaccount:default:default');
  process.kill(cluster.pid('node-1'), 'SIGKILL');
  await cluster.up();
  await cluster.until('its agent', async () =>
    (await cluster.dhow('exec', 'web', '--', 'cat', `${PLACE}/token`)).stdout.startsWith('ey'),
  );
  await cluster.must('delete', 'pod', 'web');
  await cluster.until('the end of the token', async () => (await userOf(token)) === undefined);
});

it('gives it a token for another audience, and none where pods say so', async () => {
  const serviceAccountToken = { path: 'token', audience: 'vault', expirationSeconds: 600 };
  const volumes = [{ name: 'vault', projected: { sources: [{ serviceAccountToken }] } }];
  const more = { volumeMounts: [{ name: 'vault', mountPath: '/vault' }] };
  const spec = { volumes, automountServiceAccountToken: false };
  await cluster.apply(podYaml('web', ['sleep', '1000000'], more, spec));
  await cluster.podIsReady('web');
  const [, claims = ''] = (await inPod('cat', '/vault/token')).split('.');
  const { aud, exp, iat } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
    readonly aud: readonly string[];
    readonly exp: number;
    readonly iat: number;
  };
  expect([aud, exp - iat]).toEqual([['vault'], 600]);
  expect((await cluster.dhow('exec', 'web', '--', 'ls', PLACE)).code).not.toBe(0);
});
