import { CONFIG_MAPS, DEPLOYMENTS, EVENTS, LEASES, NODES, PODS, SECRETS } from '../resources';
import type { Pod } from '../types';
import { convert, decode } from './decode';

const pod = (container: object, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'bad' },
  spec: { containers: [{ name: 'c', image: 'nginx:1.27', ...container }], ...spec },
});

const messageOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
};

describe('unknown fields', () => {
  const body = pod({ imagee: 'x' }, { nosuch: 1 });

  it('are refused with their paths when strict', () => {
    expect(messageOf(() => decode(PODS, body, { fieldValidation: 'Strict' }))).toBe(
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: ' +
        'unknown field "spec.containers[0].imagee", unknown field "spec.nosuch"',
    );
  });

  it('are dropped with warnings on request, silently otherwise', () => {
    const { object, warnings } = decode<Pod>(PODS, body, { fieldValidation: 'Warn' });
    expect(warnings).toEqual([
      'unknown field "spec.containers[0].imagee"',
      'unknown field "spec.nosuch"',
    ]);
    expect(object.spec).not.toHaveProperty('nosuch');
    expect(decode(PODS, body).warnings).toEqual([]);
  });

  it('include fields given twice', () => {
    const options = { fieldValidation: 'Strict', duplicateFields: ['spec.x'] } as const;
    expect(messageOf(() => decode(PODS, pod({}), options))).toContain(
      'strict decoding error: duplicate field "spec.x"',
    );
  });
});

it.each([
  [
    { ports: [{ containerPort: 'eighty' }] },
    'json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
  ],
  [
    { args: [31557600000] },
    'json: cannot unmarshal number into Go struct field Container.spec.containers.args of type string',
  ],
  [
    { ports: [{ containerPort: 1.5 }] },
    'json: cannot unmarshal number 1.5 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
  ],
  [
    { ports: [{ containerPort: 3e9 }] },
    'json: cannot unmarshal number 3000000000 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
  ],
  [
    { ports: { containerPort: 80 } },
    'json: cannot unmarshal object into Go struct field Container.spec.containers.ports of type []v1.ContainerPort',
  ],
  [
    { imagePullPolicy: true },
    'json: cannot unmarshal bool into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy',
  ],
  [
    { resources: { requests: { cpu: '100x' } } },
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
])('refuses %j', (container, message) => {
  expect(messageOf(() => decode(PODS, pod(container)))).toBe(
    `Pod in version "v1" cannot be handled as a Pod: ${message}`,
  );
});

it('names the struct of a mistyped field', () => {
  const deployment = { metadata: { name: 'bad' }, spec: { replicas: 'three' } };
  expect(messageOf(() => decode(DEPLOYMENTS, deployment))).toBe(
    'Deployment in version "v1" cannot be handled as a Deployment: ' +
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  );
  expect(messageOf(() => convert(PODS, { metadata: { labels: { a: 1 } } }))).toBe(
    'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
  );
});

it('refuses bytes that are no base64 and times that are none', () => {
  expect(messageOf(() => convert(SECRETS, { data: { a: '!!' } }))).toBe(
    'illegal base64 data at input byte 0',
  );
  expect(messageOf(() => convert(LEASES, { spec: { renewTime: 'soon' } }))).toMatch(
    /^parsing time "soon" as "2006-01-02T15:04:05.000000Z07:00"/,
  );
});

it('stores objects as upstream does', () => {
  const body = pod(
    {
      command: [],
      stdin: false,
      ports: [{ containerPort: 80, hostPort: 0 }],
      securityContext: { runAsUser: 0, privileged: false },
      resources: { requests: { cpu: 0.1, memory: 64e6 } },
    },
    { nodeName: null, hostNetwork: false, terminationGracePeriodSeconds: 0, nodeSelector: {} },
  );
  expect(decode(PODS, body).object).toEqual({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'bad' },
    spec: {
      containers: [
        {
          name: 'c',
          image: 'nginx:1.27',
          ports: [{ containerPort: 80 }],
          securityContext: { runAsUser: 0, privileged: false },
          resources: { requests: { cpu: '100m', memory: '64M' } },
        },
      ],
      terminationGracePeriodSeconds: 0,
    },
    status: {},
  });
});

it('keeps integers beyond the reach of doubles', () => {
  const body = pod(
    {},
    { tolerations: [{ operator: 'Exists', tolerationSeconds: 9007199254740993n }] },
  );
  expect(decode<Pod>(PODS, body).object.spec.tolerations?.[0]?.tolerationSeconds).toBe(
    9007199254740993n,
  );
});

it('writes times in UTC with the precision of their type', () => {
  const { object } = decode(LEASES, { spec: { renewTime: '2026-01-01T02:00:00.1234567+01:00' } });
  expect(object).toMatchObject({ spec: { renewTime: '2026-01-01T01:00:00.123456Z' } });
  expect(decode(EVENTS, { metadata: { name: 'e' } }).object).toMatchObject({
    firstTimestamp: null,
    reportingComponent: '',
    source: {},
  });
});

it('keeps keys that are special in JavaScript as plain data', () => {
  const data = JSON.parse('{"__proto__":"x","constructor":"y"}') as object;
  const { object } = decode(CONFIG_MAPS, { data });
  expect(JSON.stringify(object)).toContain('"__proto__":"x"');
  expect(decode(NODES, { spec: JSON.parse('{"__proto__":{"a":1}}') }).warnings).toEqual([]);
});

it('refuses a body that is no object', () => {
  expect(messageOf(() => decode(PODS, ['x']))).toContain(
    'json: cannot unmarshal array into Go value of type v1.Pod',
  );
});

it('names every field that a strict body holds in vain', () => {
  const body = { metadata: { name: 'a' }, spec: { containers: [{ imagee: 'x' }], nosuch: 1 } };
  try {
    decode(PODS, body, { fieldValidation: 'Strict' });
    throw new Error('it was accepted');
  } catch (error) {
    expect(error).toMatchObject({
      details: { causes: [{ field: 'spec.containers[0].imagee' }, { field: 'spec.nosuch' }] },
    });
  }
});

it('says that a quantity beyond all range is capped', () => {
  const resources = { requests: { memory: '3000E', cpu: '1' } };
  const { object, warnings } = decode(PODS, {
    metadata: { name: 'a' },
    spec: { containers: [{ name: 'c', resources }] },
  });
  expect(object).toMatchObject({
    spec: { containers: [{ resources: { requests: { memory: '9223372036854775807' } } }] },
  });
  expect(warnings).toEqual([
    'spec.containers[0].resources.requests.memory: 3000E is beyond all range and counts as 9223372036854775807',
  ]);
});

it('reads a partial value as it was written', () => {
  const body = {
    metadata: { name: 'a' },
    spec: { hostNetwork: false, volumes: null, containers: [{ name: 'c', env: [] }] },
  };
  expect(decode(PODS, body, { isPartial: true }).object).toEqual({
    ...body,
    apiVersion: 'v1',
    kind: 'Pod',
  });
});

it('keeps a null in a map of texts as an empty one, and says so', () => {
  const { object, warnings } = decode(CONFIG_MAPS, {
    metadata: { name: 'c', labels: { owner: null, app: 'a' } },
    data: { key: null },
  });
  expect(object.metadata.labels).toEqual({ owner: '', app: 'a' });
  expect(warnings).toEqual([
    'metadata.labels.owner: null counts as an empty text',
    'data.key: null counts as an empty text',
  ]);
});
