import type { Pod } from '../types';
import { validateEphemeralContainersUpdate } from './pod';

const pod = (ephemeralContainers?: readonly object[]): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '1' },
    spec: {
      containers: [{ name: 'main', image: 'app:1' }],
      initContainers: [{ name: 'init', image: 'app:1' }],
      volumes: [
        { name: 'data', emptyDir: {} },
        { name: 'disk', persistentVolumeClaim: { claimName: 'disk' } },
      ],
      ...(ephemeralContainers === undefined ? {} : { ephemeralContainers }),
    },
    status: {},
  }) as unknown as Pod;

const debug = (more: object = {}) => ({ name: 'debug', image: 'tools:1', ...more });

const problems = (after: readonly object[], before?: readonly object[]) =>
  validateEphemeralContainersUpdate(pod(after), pod(before)).map(
    ({ field, message }) => `${field}: ${message}`,
  );

describe('containers added to a running pod', () => {
  it('are let in with all that a look into a pod needs', () => {
    const whole = debug({
      ...{ targetContainerName: 'main', command: ['sh'], env: [{ name: 'A', value: 'b' }] },
      ...{ stdin: true, tty: true, stdinOnce: true, workingDir: '/', resources: {}, ports: [] },
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
      volumeDevices: [{ name: 'disk', devicePath: '/dev/disk' }],
      securityContext: { capabilities: { add: ['SYS_PTRACE'] } },
    });
    expect(problems([whole])).toEqual([]);
    expect(problems([whole, debug({ name: 'second' })], [whole])).toEqual([]);
  });

  it.each([
    [{ ports: [{ containerPort: 80 }] }, 'spec.ephemeralContainers[0].ports'],
    [{ resources: { limits: { cpu: '1' } } }, 'spec.ephemeralContainers[0].resources'],
    [{ readinessProbe: { exec: {} } }, 'spec.ephemeralContainers[0].readinessProbe'],
    [{ lifecycle: { preStop: { exec: {} } } }, 'spec.ephemeralContainers[0].lifecycle'],
    [{ restartPolicy: 'Always' }, 'spec.ephemeralContainers[0].restartPolicy'],
    [
      { volumeMounts: [{ name: 'data', mountPath: '/d', subPath: 'x' }] },
      'spec.ephemeralContainers[0].volumeMounts[0].subPath',
    ],
  ])('have nothing that others could rely on: %j', (more, field) => {
    expect(problems([debug(more)])).toContain(
      `${field}: Forbidden: cannot be set for an Ephemeral Container`,
    );
  });

  it('have names of their own, an image, and a target that is there', () => {
    expect(problems([debug({ name: 'main' })])).toEqual([
      'spec.ephemeralContainers[0].name: Duplicate value: "main"',
    ]);
    expect(problems([debug({ image: '' })])).toEqual([
      'spec.ephemeralContainers[0].image: Required value',
    ]);
    expect(problems([debug({ targetContainerName: 'nobody' })])).toEqual([
      'spec.ephemeralContainers[0].targetContainerName: Not found: "nobody"',
    ]);
    expect(problems([debug(), debug({ name: 'b', targetContainerName: 'debug' })])).toEqual([
      'spec.ephemeralContainers[1].targetContainerName: Not found: "debug"',
    ]);
  });

  it('stay as they are', () => {
    expect(problems([], [debug()])).toEqual([
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
    ]);
    const [changed] = problems([debug({ image: 'tools:2' })], [debug()]);
    expect(changed).toContain('existing ephemeral containers "debug" may not be changed\n');
  });
});
