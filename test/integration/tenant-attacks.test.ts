import type { ServerResponse } from 'node:http';
import { expectInTime } from './support/livez-probe';
import { startOwnServer, type OwnServer } from './support/own-server';
import { feltDuring, figuresOf, makeTenant, type Felt, type Tenant } from './support/tenants';
import { sendJson, startWebhookServer, type WebhookServer } from './support/webhook-server';
import { stringifyJson } from '../../lib/json';

/*
 * A tenant who is malicious, or clumsy, against a server of 512 MB: whatever they do, another's `get` and
 * /livez are answered in time, the server stays, and memory comes back. The short form; with
 * DHOW_ATTACK_SCALE=1 a campaign of tens of thousands of requests that prints its figures
 * (`npm run attack`).
 */

const CAMPAIGN = process.env['DHOW_ATTACK_SCALE'];
const SCALE = Number(CAMPAIGN ?? 0.02);
const times = (full: number): number => Math.max(4, Math.ceil(full * SCALE));

const APIS = {
  definitions: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  policies: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  bindings: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
  hooks: '/apis/admissionregistration.k8s.io/v1',
  roles: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
};
const APPLY = 'application/apply-patch+yaml';

let server: OwnServer;
let tenant: Tenant;
let other: Tenant;
let hook: WebhookServer;
const figures: Record<string, unknown>[] = [];
let mood = 'silent';

const MOODS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  silent: () => undefined,
  slow: (response) => void setTimeout(() => sendJson(response, {}), 1500),
  huge: (response) =>
    response.end(`{"response":{"convertedObjects":["${'x'.repeat(7_000_000)}"]}}`),
  many: (response) => response.end(`{"response":[${'0,'.repeat(3_000_000)}0]}`),
  deep: (response) => response.end('['.repeat(5_000_000)),
  malformed: (response) => response.end('<html>'),
  redirecting: (response) => response.writeHead(307, { location: 'https://127.0.0.1:1/' }).end(),
  cut: (response) => response.destroy(),
};

const RULES = [
  {
    apiGroups: ['apiextensions.k8s.io', 'admissionregistration.k8s.io'],
    resources: ['*'],
    verbs: ['*'],
  },
  { apiGroups: ['attack.example'], resources: ['*'], verbs: ['*'] },
];

beforeAll(async () => {
  server = await startOwnServer({ memoryMb: 512 });
  hook = await startWebhookServer((_path, _body, response) => MOODS[mood]?.(response));
  tenant = await makeTenant(server, 'attacker', RULES);
  other = await makeTenant(server, 'other');
  await other.ask('POST', '/api/v1/namespaces/other/configmaps', { metadata: { name: 'mine' } });
});
afterAll(async () => {
  if (CAMPAIGN !== undefined) console.table(figures);
  for (const each of [tenant, other]) each[Symbol.dispose]();
  await hook[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** Notes what others feel, and holds it to what they may. */
const attack = async (what: string, work: () => Promise<unknown>): Promise<Felt> => {
  const startMs = performance.now();
  const lagBefore = await lagCounts();
  const path = '/api/v1/namespaces/other/configmaps/mine';
  const felt = await feltDuring(server, { token: other.token, path }, work).catch(
    (error: unknown) => {
      throw new Error(`server ended by ${server.exit()}: ${server.log().slice(-2000)}`, {
        cause: error,
      });
    },
  );
  const seconds = Math.round((performance.now() - startMs) / 100) / 10;
  const [get, livez] = [figuresOf(felt.get), figuresOf(felt.livez)];
  const memoryMb = Math.round(server.residentMb());
  figures.push({
    ...{ what, seconds, 'get p99': get.p99, 'get max': get.max },
    ...{ 'livez p99': livez.p99, 'livez max': livez.max, memoryMb },
    'loop lag below': lagBound(lagBefore, await lagCounts()),
  });
  expect(server.exit()).toBeUndefined();
  expectInTime(felt.livez);
  expectInTime(felt.get);
  return felt;
};

/** How often the server's event loop was no later than so many seconds. */
const lagCounts = async (): Promise<ReadonlyMap<string, number>> => {
  const { text } = await server.ask('GET', '/metrics');
  const lines = text.matchAll(/^dhow_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm);
  return new Map([...lines].map(([, bound = '', count]) => [bound, Number(count)]));
};

/** The lowest bound, in seconds, that it was never later than in between. */
const lagBound = (
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): string | undefined => {
  const grown = (bound: string) => (after.get(bound) ?? 0) - (before.get(bound) ?? 0);
  return [...after.keys()].find((bound) => grown(bound) === grown('+Inf'));
};

/** Does `work` so often, by so many at a time. */
const inParallel = async (
  count: number,
  workers: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> => {
  let next = 0;
  const run = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: workers }, run));
};

const MAPS = '/api/v1/namespaces/attacker/configmaps';

const definition = (name: string, schema: object = {}, spec: object = {}, versions = ['v1']) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${name}s.attack.example` },
  spec: {
    ...{ group: 'attack.example', scope: 'Namespaced' },
    names: { plural: `${name}s`, kind: name.charAt(0).toUpperCase() + name.slice(1) },
    versions: versions.map((version, i) => ({
      ...{ name: version, served: true, storage: i === 0 },
      schema: { openAPIV3Schema: { type: 'object', ...schema } },
    })),
    ...spec,
  },
});
const objectsOf = (name: string, version = 'v1') =>
  `/apis/attack.example/${version}/namespaces/attacker/${name}s`;
const objectOf = (kind: string, name: string, more: object = {}, version = 'v1') => ({
  ...{
    apiVersion: `attack.example/${version}`,
    kind: kind.charAt(0).toUpperCase() + kind.slice(1),
  },
  ...{ metadata: { name }, ...more },
});

const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
  const deadlineMs = performance.now() + 120_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** Makes a definition, and waits until its objects can be listed. */
const define = async (name: string, ...more: unknown[]): Promise<void> => {
  const [schema, spec, versions] = more as [object?, object?, string[]?];
  const made = await tenant.ask('POST', APIS.definitions, definition(name, schema, spec, versions));
  if (made.status === 403 && made.text.includes('the memory of this server is enough for')) return;
  expect([made.status, made.status === 201 ? '' : made.text]).toEqual([201, '']);
  await until(
    `${name} is served`,
    async () => (await tenant.ask('GET', objectsOf(name))).status === 200,
  );
};
const undefine = async (name: string): Promise<void> => {
  const path = `${APIS.definitions}/${name}s.attack.example`;
  await tenant.ask('DELETE', path);
  await until(`${name} is gone`, async () => (await tenant.ask('GET', path)).status === 404);
};

it('many kinds are made, used and deleted', async () => {
  const count = times(1000);
  const beforeMb = server.residentMb();
  const name = (i: number) => `kind${i}`;
  await attack(`${count} kinds made and used`, async () => {
    await inParallel(count, 16, async (i) => {
      await define(name(i), { 'x-kubernetes-preserve-unknown-fields': true });
      await tenant.ask('POST', objectsOf(name(i)), objectOf(name(i), 'a'));
    });
  });
  await attack(`${count} kinds discovered and described`, async () => {
    for (const path of ['/apis', '/apis/attack.example/v1', '/openapi/v2', '/openapi/v3']) {
      const { status, tookMs } = await server.ask('GET', path);
      figures.push({ what: path, seconds: Math.round(tookMs) / 1000 });
      expect(status).toBe(200);
    }
  });
  await attack(`${count} kinds deleted`, async () => {
    await inParallel(count, 16, (i) => undefine(name(i)));
  });
  figures.push({ what: 'memory before and after', memoryMb: `${beforeMb} ${server.residentMb()}` });
}, 900_000);

describe.each(Object.keys(MOODS))('a webhook that is %s', (each) => {
  beforeEach(() => {
    mood = each;
  });

  it.each(['Validating', 'Mutating'])(
    'and %s',
    async (kind) => {
      const path = `${APIS.hooks}/${kind.toLowerCase()}webhookconfigurations`;
      const configuration = {
        ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: `${kind}WebhookConfiguration` },
        metadata: { name: 'attack' },
        webhooks: [
          {
            name: 'attack.hooks.example',
            clientConfig: { url: `${hook.url}/x`, caBundle: hook.caBundle },
            rules: [
              {
                apiGroups: [''],
                apiVersions: ['v1'],
                operations: ['*'],
                resources: ['configmaps'],
              },
            ],
            ...{ sideEffects: 'None', admissionReviewVersions: ['v1'], timeoutSeconds: 1 },
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'attacker' } },
          },
        ],
      };
      expect((await tenant.ask('POST', path, configuration)).status).toBe(201);
      try {
        await attack(`${each} ${kind} webhook, 64 writers`, () =>
          inParallel(Math.max(128, times(1000)), 64, async (i) => {
            const { status } = await tenant.ask('POST', MAPS, { metadata: { name: `w${i}` } });
            expect([429, 500]).toContain(status);
          }),
        );
      } finally {
        await tenant.ask('DELETE', `${path}/attack`);
      }
    },
    300_000,
  );

  it('and converts', async () => {
    const clientConfig = { url: `${hook.url}/x`, caBundle: hook.caBundle };
    const webhook = { clientConfig, conversionReviewVersions: ['v1'] };
    const open = { 'x-kubernetes-preserve-unknown-fields': true };
    await define('thing', open, { conversion: { strategy: 'Webhook', webhook } }, ['v1', 'v2']);
    try {
      await inParallel(64, 16, (i) =>
        tenant.ask('POST', objectsOf('thing'), objectOf('thing', `t${i}`)),
      );
      await attack(`${each} conversion webhook, 64 readers`, () =>
        inParallel(64, 64, async (i) => {
          const { status } = await tenant.ask('GET', `${objectsOf('thing', 'v2')}/t${i}`);
          expect([429, 500, 503]).toContain(status);
        }),
      );
    } finally {
      await attack(`${each} conversion webhook, all deleted`, () => undefine('thing'));
    }
  }, 300_000);
});

it('a policy that costs as much as it may', async () => {
  const loop = 'object.data.all(a, object.data.all(b, object.data.all(c, a != "x" || b == c)))';
  const name = 'attack';
  const matchConstraints = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'attacker' } },
    resourceRules: [
      { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] },
    ],
  };
  const validations = Array.from({ length: 20 }, () => ({ expression: loop }));
  await tenant.ask('POST', APIS.policies, {
    metadata: { name },
    spec: { matchConstraints, validations },
  });
  const bound = { policyName: name, validationActions: ['Deny'] };
  await tenant.ask('POST', APIS.bindings, { metadata: { name }, spec: bound });
  const data = Object.fromEntries(Array.from({ length: 60 }, (_none, i) => [`k${i}`, 'v']));
  try {
    await attack('a dear policy, 64 writers', () =>
      inParallel(Math.max(64, times(500)), 64, (i) =>
        tenant.ask('POST', MAPS, { metadata: { name: `p${i}` }, data }),
      ),
    );
  } finally {
    await tenant.ask('DELETE', `${APIS.bindings}/${name}`);
    await tenant.ask('DELETE', `${APIS.policies}/${name}`);
  }
}, 300_000);

it('rules that cost as much as they may, of one object', async () => {
  const rule = { rule: 'self.all(x, self.exists(y, x == y && x > 1000))' };
  const bounds = { type: 'array', maxItems: 900, items: { type: 'integer' } };
  await define('dear', {
    properties: Object.fromEntries(
      Array.from({ length: 5 }, (_none, i) => [
        `f${i}`,
        { ...bounds, 'x-kubernetes-validations': [rule, rule] },
      ]),
    ),
  });
  const list = Array.from({ length: 300 }, (_none, i) => i + 2000);
  const fields = Object.fromEntries(Array.from({ length: 5 }, (_none, i) => [`f${i}`, list]));
  await attack('dear rules of a kind, 64 writers', () =>
    inParallel(Math.max(64, times(500)), 64, (i) =>
      tenant.ask('POST', objectsOf('dear'), objectOf('dear', `d${i}`, fields)),
    ),
  );
  await undefine('dear');
}, 300_000);

it('schemas as deep and wide as they may be, and patterns that go back and forth', async () => {
  let deep: object = { type: 'string', pattern: '^(a+)+$' };
  for (let i = 0; i < 150; i++) deep = { type: 'object', properties: { a: deep } };
  const wide = Object.fromEntries(
    Array.from({ length: times(20_000) }, (_none, i) => [`f${i}`, { type: 'string' }]),
  );
  await attack('deep and wide schemas', async () => {
    await tenant.ask('POST', APIS.definitions, definition('deep', deep));
    await tenant.ask('POST', APIS.definitions, definition('wide', { properties: wide }));
  });
  const text = { type: 'string', pattern: '^(([a-z]+)*[0-9]?)+$' };
  await define('pattern', { properties: { a: text, b: { type: 'array', items: text } } });
  const body = {
    a: `${'a'.repeat(50_000)}!`,
    b: Array.from({ length: 200 }, () => `${'a'.repeat(200)}!`),
  };
  await attack('patterns, 64 writers', () =>
    inParallel(Math.max(64, times(500)), 64, (i) =>
      tenant.ask('POST', objectsOf('pattern'), objectOf('pattern', `p${i}`, body)),
    ),
  );
  for (const each of ['deep', 'wide', 'pattern']) await undefine(each);
}, 300_000);

it('forged continue tokens', async () => {
  await inParallel(20, 8, (i) => tenant.ask('POST', MAPS, { metadata: { name: `c${i}` } }));
  const { text } = await tenant.ask('GET', `${MAPS}?limit=2`);
  const real = /"continue":"([^"]+)"/.exec(text)?.[1] ?? '';
  await attack('forged continue tokens', () =>
    inParallel(times(10_000), 32, async (i) => {
      const bytes = Buffer.from(real, 'base64');
      bytes[i % bytes.length] = i % 256;
      const forged = [
        bytes.toString('base64'),
        real.slice(0, i % real.length),
        `${i}`,
        '='.repeat(i % 99),
      ];
      const path = `${MAPS}?limit=2&continue=${encodeURIComponent(forged[i % 4] ?? '')}`;
      const reply = await tenant.ask('GET', path);
      expect([200, 400, 410]).toContain(reply.status);
      // Whatever it says, it is no way into another's namespace.
      expect(reply.text).not.toContain('"namespace":"other"');
    }),
  );
}, 300_000);

it('very many managers of one object', async () => {
  const count = times(10_000);
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'managed' } };
  const statuses = new Map<number, number>();
  await attack(`${count} managers of one object`, () =>
    inParallel(count, 4, async (i) => {
      const path = `${MAPS}/managed?fieldManager=m${i}`;
      const config = { ...applied, data: { [`k${i % 50}`]: 'v' } };
      const { status } = await tenant.ask('PATCH', path, config, APPLY);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }),
  );
  figures.push({ what: `managers: ${stringifyJson([...statuses])}` });
  const { text } = await tenant.ask('GET', `${MAPS}/managed`);
  expect(text.length).toBeLessThan(2_000_000);
}, 900_000);

it('one deletion of very many objects', async () => {
  const count = times(10_000);
  await inParallel(count, 32, (i) => tenant.ask('POST', MAPS, { metadata: { name: `x${i}` } }));
  await attack(`${count} objects deleted at once`, async () => {
    for (let left = 1; left > 0;) {
      const { status } = await tenant.ask('DELETE', MAPS);
      expect([200, 504]).toContain(status);
      const { text } = await tenant.ask('GET', `${MAPS}?limit=1`);
      left = text.includes('"name":"x') ? 1 : 0;
    }
  });
}, 900_000);

it('quotas of very many resources', async () => {
  const hard = (prefix: string) =>
    Object.fromEntries(
      Array.from({ length: times(5000) }, (_none, i) => [
        `count/${prefix}${i}s.attack.example`,
        '5',
      ]),
    );
  const path = '/api/v1/namespaces/attacker/resourcequotas';
  await attack('quotas of very many resources', async () => {
    await inParallel(times(200), 8, async (i) => {
      const all = Object.entries(hard(`a${i}`));
      for (const some of [all, all.slice(0, 500)]) {
        const made = await tenant.ask('POST', path, {
          ...{ metadata: { name: `q${i}` }, spec: { hard: Object.fromEntries(some) } },
        });
        if (made.status === 201) return;
        expect([413, 422, 429]).toContain(made.status);
      }
    });
    await inParallel(64, 64, (i) => tenant.ask('POST', MAPS, { metadata: { name: `q${i}` } }));
  });
  await tenant.ask('DELETE', path);
  await tenant.ask('DELETE', MAPS);
}, 900_000);

it('very many watches that are left', async () => {
  const statuses = new Map<number, number>();
  const watching = await makeTenant(server, 'watcher');
  await attack(`${times(10_000)} watches of one`, async () => {
    await inParallel(times(10_000), 128, async () => {
      const status = await watching.open('/api/v1/namespaces/watcher/configmaps?watch=1');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
    const writes = '/api/v1/namespaces/watcher/configmaps';
    await inParallel(64, 8, (i) => watching.ask('POST', writes, { metadata: { name: `w${i}` } }));
  });
  watching[Symbol.dispose]();
  figures.push({ what: `watches: ${stringifyJson([...statuses])}` });
}, 900_000);

it('streams to pods that are opened and left', async () => {
  const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'x/y:1' }] } };
  await tenant.ask('POST', '/api/v1/namespaces/attacker/pods', pod);
  await attack(`${times(10_000)} streams`, () =>
    inParallel(times(10_000), 128, async (i) => {
      const part = [
        'exec?command=sh&stdout=1',
        'portforward?ports=80',
        'attach?stdout=1',
        'log?follow=1',
      ];
      await tenant.open(`/api/v1/namespaces/attacker/pods/p/${part[i % 4] ?? ''}`);
    }),
  );
}, 900_000);

it('roles that select each other in circles', async () => {
  const count = times(300);
  const role = (i: number) => ({
    metadata: { name: `circle${i}`, labels: { circle: `c${i}`, all: 'circles' } },
    rules: [{ apiGroups: [''], resources: [`r${i}`], verbs: ['get'] }],
    aggregationRule: {
      clusterRoleSelectors: [
        { matchLabels: { circle: `c${(i + 1) % count}` } },
        { matchLabels: { all: 'circles' } },
      ],
    },
  });
  await attack(`${count} roles in circles`, async () => {
    await inParallel(count, 8, (i) => server.ask('POST', APIS.roles, stringifyJson(role(i))));
    const binding = {
      metadata: { name: 'circles' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'circle0' },
      subjects: [{ kind: 'ServiceAccount', name: 'tenant', namespace: 'attacker' }],
    };
    const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
    await server.ask('POST', bindings, stringifyJson(binding));
    await inParallel(200, 32, () => tenant.ask('GET', '/api/v1/namespaces/other/secrets'));
    await server.ask('DELETE', `${bindings}/circles`);
    await inParallel(count, 8, (i) => server.ask('DELETE', `${APIS.roles}/circle${i}`));
  });
}, 300_000);
