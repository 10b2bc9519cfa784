import { stringifyJson } from '../../../../lib/json';
import { startTestServer, type Answer, type RequestOptions, type TestServer } from '../../testing';
import type { CallOptions, WebhookTarget } from '../../webhook-client';

// Tests know what they asked for.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Json = any;

export const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';
export const CORE = '/api/v1/namespaces/default';
export const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

interface Review {
  readonly apiVersion: string;
  readonly request: { readonly uid: string };
}

interface Asked {
  readonly path: string;
  readonly review: Json;
  readonly timeoutMs: number;
}

/** A server for each test of the file, whose webhooks answer what the test says. */
export const useHookedServer = () => {
  let server: TestServer;
  const asked: Asked[] = [];
  /** By the path of the webhook's URL. */
  const answers = new Map<string, (request: Json) => unknown>();
  const call = async (target: WebhookTarget, review: unknown, { timeoutMs }: CallOptions) => {
    const path = new URL(target.url ?? 'https://x/').pathname;
    asked.push({ path, review, timeoutMs });
    const { request: about, apiVersion } = review as Review;
    const answer = answers.get(path)?.(about);
    if (answer instanceof Error) throw answer;
    const response = { uid: about.uid, allowed: true, ...(answer as object) };
    return { kind: 'AdmissionReview', apiVersion, response };
  };
  beforeEach(async () => {
    asked.length = 0;
    answers.clear();
    server = await startTestServer({ webhookCalls: { call } });
  });
  afterEach(() => server[Symbol.asyncDispose]());
  const request = (method: string, path: string, body?: unknown, options?: RequestOptions) =>
    server.request(method, path, body, options);
  const configure = (kind: 'Mutating' | 'Validating', name: string, ...webhooks: object[]) =>
    configureIn(request, kind, name, webhooks);
  return {
    ...{ asked, answers, request, configure },
    current: () => server,
    paths: () => asked.map(({ path }) => path),
    mutate: (...webhooks: object[]) => configure('Mutating', 'm', ...webhooks),
    validate: (...webhooks: object[]) => configure('Validating', 'v', ...webhooks),
    create: (name = 'a', more: object = {}, query = ''): Promise<Answer> =>
      request('POST', `${CORE}/configmaps${query}`, map(name, more)),
    makePod: () => makePod(request),
  };
};

type Request = TestServer['request'];

const configureIn = async (
  request: Request,
  kind: string,
  name: string,
  webhooks: readonly object[],
): Promise<void> => {
  const path = `${CONFIGURATIONS}/${kind.toLowerCase()}webhookconfigurations`;
  const { status, text } = await request('POST', path, {
    ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: `${kind}WebhookConfiguration` },
    ...{ metadata: { name }, webhooks },
  });
  expect([status, status === 201 ? '' : text]).toEqual([201, '']);
  // What is read from the cache is known to the plugins, too.
  await request('GET', path);
};

const makePod = async (request: Request): Promise<void> => {
  await request('POST', '/api/v1/nodes', { metadata: { name: 'n' } });
  await request('POST', `${CORE}/serviceaccounts`, { metadata: { name: 's' } });
  const spec = { containers: [{ name: 'c', image: 'x' }] };
  const { status } = await request('POST', `${CORE}/pods`, { metadata: { name: 'p' }, spec });
  expect(status).toBe(201);
};

export const RULE = {
  ...{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['configmaps'] },
};

/** A webhook at `https://hooks.example/PATH`, asked about config maps unless it says otherwise. */
export const hook = (path: string, change: object = {}) => ({
  name: `${path.slice(1)}.hooks.example`,
  clientConfig: { url: `https://hooks.example${path}` },
  rules: [RULE],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  ...change,
});

export const map = (name: string, more: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
  ...more,
});

/** An answer with a JSON patch. */
export const patch = (...operations: object[]) => ({
  patchType: 'JSONPatch',
  patch: Buffer.from(stringifyJson(operations)).toString('base64'),
});

export const set = (path: string, value: unknown) => ({ op: 'add', path, value });
export const label = (value: string) => patch(set('/metadata/labels', { by: value }));
export const deny = (status: object = {}) => ({ allowed: false, status });
