import { LAST_APPLIED } from './annotations';
import { ApiError } from './errors';
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, NODES, PODS, SECRETS } from './resources';
import { applyDefaults, kinds, validate, warningsFor } from './scheme';
import { decode } from './schema/decode';
import { hasDefinition } from './schema/definitions';
import { deployment, made, pod, refusal } from './testing';
import type { ApiObject } from './types';

type Json = Record<string, unknown>;

describe('defaults', () => {
  it('complete a pod', () => {
    expect(made(PODS, pod({}, { ports: [{ containerPort: 80 }] }))).toMatchObject({
      spec: {
        containers: [
          {
            imagePullPolicy: 'IfNotPresent',
            ports: [{ containerPort: 80, protocol: 'TCP' }],
            resources: {},
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
          },
        ],
        dnsPolicy: 'ClusterFirst',
        enableServiceLinks: true,
        restartPolicy: 'Always',
        schedulerName: 'default-scheduler',
        securityContext: {},
        terminationGracePeriodSeconds: 30,
      },
    });
  });

  it('complete a deployment', () => {
    const { spec } = made(DEPLOYMENTS, deployment()) as ApiObject & { spec: Json };
    expect(spec).toMatchObject({
      progressDeadlineSeconds: 600,
      replicas: 1,
      revisionHistoryLimit: 10,
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' },
      },
    });
    expect(spec).not.toHaveProperty('template.spec.enableServiceLinks');
  });

  it('leave a recreated deployment without rolling parameters', () => {
    const { spec } = made(DEPLOYMENTS, deployment({ strategy: { type: 'Recreate' } })) as never;
    expect(spec).toHaveProperty('strategy', { type: 'Recreate' });
  });

  it.each([
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.27', 'IfNotPresent'],
    ['host:5000/nginx', 'Always'],
    [
      'nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000',
      'IfNotPresent',
    ],
  ])('pull %s %s', (image, policy) => {
    expect(made(PODS, pod({}, { image }))).toHaveProperty(
      ['spec', 'containers', 0, 'imagePullPolicy'],
      policy,
    );
  });

  it('copy limits to requests that are missing', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m' } };
    expect(made(PODS, pod({}, { resources }))).toHaveProperty(
      ['spec', 'containers', 0, 'resources', 'requests'],
      { cpu: '100m', memory: '1Gi' },
    );
  });

  it('turn the text of a secret into data', () => {
    const secret = made(SECRETS, {
      metadata: { name: 's' },
      data: { a: 'eA==' },
      stringData: { p: 'hunter2' },
    });
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'eA==', p: 'aHVudGVyMg==' } });
    expect(secret).not.toHaveProperty('stringData');
  });

  it('label a namespace with its name', () => {
    expect(made(NAMESPACES, { metadata: { name: 'team' } }).metadata.labels).toEqual({
      'kubernetes.io/metadata.name': 'team',
    });
  });
});

describe('pods', () => {
  it.each<[string, object, object, string[]]>([
    ['a good pod', {}, {}, []],
    ['no containers', { containers: [] }, {}, ['spec.containers: Required value']],
    ['no image', {}, { image: '' }, ['spec.containers[0].image: Required value']],
    [
      'a port out of range',
      {},
      { ports: [{ containerPort: 70000 }] },
      [
        'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'a port name twice',
      {},
      {
        ports: [
          { name: 'http', containerPort: 80 },
          { name: 'http', containerPort: 81 },
        ],
      },
      ['spec.containers[0].ports[1].name: Duplicate value: "http"'],
    ],
    [
      'a missing volume',
      {},
      { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      'a volume name twice',
      { volumes: [{ name: 'v' }, { name: 'v' }] },
      {},
      ['spec.volumes[1].name: Duplicate value: "v"'],
    ],
    [
      'an unknown restart policy',
      { restartPolicy: 'Sometimes' },
      {},
      [
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
      ],
    ],
    [
      'a probe without a handler',
      {},
      { livenessProbe: { periodSeconds: 5 } },
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'a request above its limit',
      {},
      { resources: { requests: { memory: '128Mi' }, limits: { memory: '64Mi' } } },
      [
        'spec.containers[0].resources.requests: Invalid value: "128Mi": must be less than or equal to memory limit of 64Mi',
      ],
    ],
    [
      'a negative request',
      {},
      { resources: { requests: { cpu: '-1' } } },
      [
        'spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
    [
      'a decimal file mode',
      { volumes: [{ name: 's', secret: { secretName: 'x', defaultMode: 640 } }] },
      {},
      [
        'spec.volumes[0].secret.defaultMode: Invalid value: 640: must be a number between 0 and 0777 (octal), both inclusive',
      ],
    ],
    [
      'mounts shared with the node by a container that is not privileged',
      { volumes: [{ name: 'v' }] },
      {
        volumeMounts: [
          { name: 'v', mountPath: '/a', mountPropagation: 'Bidirectional' },
          { name: 'v', mountPath: '/b', mountPropagation: 'HostToContainer' },
          { name: 'v', mountPath: '/c', mountPropagation: 'None' },
        ],
      },
      [
        'spec.containers[0].volumeMounts[0].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers',
      ],
    ],
    [
      'a stop signal of no named system',
      {},
      { lifecycle: { stopSignal: 'SIGUSR1' } },
      [
        'spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`',
      ],
    ],
    [
      'a stop signal that the system does not have',
      { os: { name: 'windows' } },
      { lifecycle: { stopSignal: 'SIGUSR1' } },
      [
        'spec.containers[0].lifecycle.stopSignal: Unsupported value: "SIGUSR1": supported values: "SIGKILL", "SIGTERM"',
      ],
    ],
    [
      'a system that does not exist',
      { os: { name: 'plan9' } },
      {},
      ['spec.os.name: Unsupported value: "plan9": supported values: "linux", "windows"'],
    ],
    [
      'paths out of a volume',
      { volumes: [{ name: 'v' }] },
      {
        volumeMounts: [
          { name: 'v', mountPath: '/a', subPath: 'a/../../x' },
          { name: 'v', mountPath: '/b', subPath: '/abs' },
        ],
      },
      [
        `spec.containers[0].volumeMounts[0].subPath: Invalid value: "a/../../x": must not contain '..'`,
        'spec.containers[0].volumeMounts[1].subPath: Invalid value: "/abs": must be a relative path',
      ],
    ],
    [
      'sysctls that would change the node',
      {
        hostNetwork: true,
        securityContext: {
          sysctls: [
            { name: 'net.ipv4.ip_local_port_range', value: '1 2' },
            { name: 'vm.swappiness', value: '1' },
          ],
        },
      },
      {},
      [
        `spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.ip_local_port_range": may not be specified when 'hostNetwork' is true`,
        'spec.securityContext.sysctls[1].name: Invalid value: "vm.swappiness": must be a namespaced sysctl: any other would change the node',
      ],
    ],
    [
      'a toleration for all keys but one value',
      { tolerations: [{ value: 'x' }] },
      {},
      [
        'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
  ])('%s', (_title, spec, container, expected) => {
    expect(refusal(PODS, pod(spec, container))).toEqual(expected);
  });

  it('may change their image and gain tolerations, and nothing else', () => {
    const old = pod({ tolerations: [{ key: 'a', operator: 'Exists' }] });
    const tolerations = [
      { key: 'a', operator: 'Exists' },
      { key: 'b', operator: 'Exists' },
    ];
    expect(refusal(PODS, pod({ tolerations }, { image: 'nginx:1.28' }), old)).toEqual([]);
    expect(refusal(PODS, pod({ tolerations: tolerations.slice(1) }), old)).toEqual([
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
    ]);
    expect(refusal(PODS, pod({ tolerations, hostNetwork: true }), old)[0]).toMatch(
      /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`/,
    );
    const two = [...pod().spec.containers, { name: 'd', image: 'x:1' }];
    expect(refusal(PODS, pod({ tolerations, containers: two }), old)).toEqual([
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ]);
  });
});

it.each<[number | undefined, number | bigint | undefined, string | undefined]>([
  [undefined, 60, undefined],
  [60, 30, undefined],
  [60, 0, undefined],
  [60, 61, 'must be less than or equal to previous value'],
  [60, undefined, 'must not update from a positive integer to nil value'],
  [undefined, -1, 'must be between 0 and 2147483647, inclusive'],
  [undefined, 2 ** 31, 'must be between 0 and 2147483647, inclusive'],
  [undefined, 2n ** 60n, 'must be between 0 and 2147483647, inclusive'],
])('let the deadline of a pod go from %p to %p: %p', (before, after, why) => {
  const deadline = (activeDeadlineSeconds: unknown) =>
    pod(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds });
  expect(refusal(PODS, deadline(after), deadline(before))).toEqual(
    why === undefined ? [] : [expect.stringContaining(why)],
  );
});

describe('deployments', () => {
  it('need a selector that matches their pods', () => {
    expect(refusal(DEPLOYMENTS, deployment({ selector: null }))).toEqual([
      'spec.selector: Required value',
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ]);
  });

  it('keep their selector', () => {
    const selector = { matchLabels: { app: 'web', a: 'b' } };
    const changed = deployment({
      selector,
      template: { metadata: { labels: selector.matchLabels }, spec: pod().spec },
    });
    expect(refusal(DEPLOYMENTS, changed, deployment())).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","a":"b"}}: field is immutable',
    ]);
  });

  it('cannot have both surge and unavailability of nothing, nor broken percentages', () => {
    const rolling = (rollingUpdate: object) => deployment({ strategy: { rollingUpdate } });
    expect(refusal(DEPLOYMENTS, rolling({ maxSurge: 0, maxUnavailable: '0%' }))).toEqual([
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
    ]);
    expect(refusal(DEPLOYMENTS, rolling({ maxSurge: 'many' }))).toHaveLength(1);
  });

  it('run pods that always restart', () => {
    expect(refusal(DEPLOYMENTS, deployment({}, { restartPolicy: 'Never' }))).toEqual([
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ]);
  });
});

describe('configuration', () => {
  it('refuses keys that are no file names', () => {
    expect(
      refusal(CONFIG_MAPS, { metadata: { name: 'c' }, data: { 'a/b': 'x', '..': 'y' } }),
    ).toHaveLength(2);
  });

  it('refuses more than a mebibyte', () => {
    const data = { a: 'x'.repeat(2 ** 20 + 1) };
    expect(refusal(CONFIG_MAPS, { metadata: { name: 'c' }, data })).toEqual([
      '[]: Too long: may not be more than 1048576 bytes',
    ]);
    expect(
      refusal(CONFIG_MAPS, { metadata: { name: 'c' }, data: { a: 'x'.repeat(420 * 1024) } }),
    ).toEqual([]);
  });

  it('tells who applied too much from the client how to go on', () => {
    const annotations = { [LAST_APPLIED]: 'x'.repeat(256 * 1024) };
    expect(refusal(CONFIG_MAPS, { metadata: { name: 'c', annotations } })).toEqual([
      'metadata.annotations: Too long: may not be more than 262144 bytes: ' +
        'kubectl.kubernetes.io/last-applied-configuration holds 262144 of them; apply the object ' +
        "on the server's side (--server-side), which keeps no copy",
    ]);
  });

  it('refuses annotations of more than 256 KiB', () => {
    const annotations = { a: 'x'.repeat(256 * 1024) };
    expect(refusal(CONFIG_MAPS, { metadata: { name: 'c', annotations } })).toEqual([
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ]);
  });

  it('stays as it is once immutable', () => {
    const map = (value: string, immutable?: boolean) => ({
      metadata: { name: 'c' },
      data: { a: value },
      immutable,
    });
    expect(refusal(CONFIG_MAPS, map('2', true), map('1', true))).toEqual([
      'data: Forbidden: field is immutable when `immutable` is set',
    ]);
    expect(refusal(CONFIG_MAPS, map('2'), map('1'))).toEqual([]);
  });

  it('needs what the type of a secret promises', () => {
    const secret = { metadata: { name: 's' }, type: 'kubernetes.io/tls' };
    expect(refusal(SECRETS, secret)).toEqual([
      'data[tls.crt]: Required value',
      'data[tls.key]: Required value',
    ]);
    expect(refusal(SECRETS, { ...secret, type: 'x' }, { ...secret, type: 'y' })).toEqual([
      'type: Invalid value: "x": field is immutable',
    ]);
  });
});

it('refuses names, labels, namespaces and taints that are none', () => {
  const problems = refusal(NODES, {
    metadata: { name: 'Bad_Name', labels: { 'a b': 'c d' }, namespace: 'x' },
    spec: {
      taints: [
        { key: 'k', effect: 'Never' },
        { key: 'k', effect: 'NoSchedule' },
        { key: 'k', value: 'v', effect: 'NoSchedule' },
      ],
    },
  });
  expect(problems.map((text) => text.split(': ').slice(0, 2).join(': '))).toEqual([
    'metadata.name: Invalid value',
    'metadata.namespace: Forbidden',
    'metadata.labels: Invalid value',
    'metadata.labels: Invalid value',
    'spec.taints[0].effect: Unsupported value',
    'spec.taints[2]: Duplicate value',
  ]);
});

it('words one refusal on a line and several as a list', () => {
  const messageOf = (body: object) => {
    try {
      validate(DEPLOYMENTS, made(DEPLOYMENTS, body));
      return '';
    } catch (error) {
      return (error as ApiError).message;
    }
  };
  expect(messageOf(deployment({ replicas: -1 }))).toBe(
    'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  );
  expect(messageOf(deployment({ replicas: -1, minReadySeconds: -1 }))).toBe(
    'Deployment.apps "web" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, ' +
      'spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0]',
  );
});

it('survives bodies that lack everything', () => {
  for (const { resource } of kinds()) {
    expect(hasDefinition(resource)).toBe(true);
    for (const body of [{}, { spec: {} }, { spec: { template: {} } }, { metadata: null }]) {
      const { object } = decode(resource, body);
      applyDefaults(resource, object);
      expect(() => {
        try {
          validate(resource, object);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
        }
      }).not.toThrow();
    }
  }
});

it('warns of what is seldom meant', () => {
  const object = made(
    PODS,
    pod({
      nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
      terminationGracePeriodSeconds: -1,
      containers: [
        {
          name: 'c',
          image: 'x',
          env: [
            { name: 'TIER', value: 'a' },
            { name: 'PATH', value: '/a' },
            { name: 'TIER', value: 'a' },
            { name: 'PATH', value: '$(PATH):/b' },
          ],
          ports: [
            { containerPort: 80 },
            { containerPort: 80, protocol: 'UDP' },
            { containerPort: 80 },
          ],
          resources: { requests: { memory: '100m', cpu: '100m' } },
        },
      ],
    }),
  );
  expect(warningsFor(object)).toEqual([
    'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
    'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    'spec.containers[0].env[2]: hides previous definition of "TIER", which may be dropped when using apply',
    'spec.containers[0].ports[2]: duplicate port definition with spec.containers[0].ports[0]',
    'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
  ]);
});

it.each(['SIGUSR1', 'SIGRTMIN+3', 'SIGRTMAX-14', 'SIGRTMAX', 'SIGKILL'])(
  'accepts %s as a stop signal on Linux, and a privileged container that shares its mounts',
  (stopSignal) => {
    const container = {
      lifecycle: { stopSignal },
      securityContext: { privileged: true },
      volumeMounts: [{ name: 'v', mountPath: '/a', mountPropagation: 'Bidirectional' }],
    };
    const spec = { os: { name: 'linux' }, volumes: [{ name: 'v', emptyDir: {} }] };
    expect(refusal(PODS, pod(spec, container))).toEqual([]);
  },
);
