import { PODS } from '../resources';
import { pod, refusal } from '../testing';

const VOLUME = { name: 'v', emptyDir: {} };
const withDownward = (item: object) =>
  pod({ volumes: [{ name: 'v', downwardAPI: { items: [{ path: 'p', ...item }] } }] });
const withEnv = (valueFrom: object) => pod({}, { env: [{ name: 'A', valueFrom }] });

it('takes of the pod only what there is, from the version that there is', () => {
  const fieldRef = { apiVersion: 'v2', fieldPath: 'metadata.name' };
  const why =
    'Invalid value: "metadata.name": error converting fieldPath: unsupported pod version: v2';
  expect(refusal(PODS, withEnv({ fieldRef }))).toEqual([
    `spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: ${why}`,
  ]);
  const at = 'spec.volumes[0].downwardAPI.items[0]';
  expect(refusal(PODS, withDownward({ fieldRef }))).toEqual([`${at}.fieldRef.fieldPath: ${why}`]);
  expect(refusal(PODS, withDownward({ fieldRef: { fieldPath: 'spec.nodeName' } }))).toEqual([
    `${at}.fieldRef.fieldPath: Unsupported value: "spec.nodeName": supported values: ` +
      '"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
  ]);
  const resourceFieldRef = { resource: 'limits.cpu' };
  expect(refusal(PODS, withEnv({ resourceFieldRef }))).toEqual([]);
  expect(refusal(PODS, withDownward({ resourceFieldRef }))).toEqual([
    `${at}.resourceFieldRef.containerName: Required value`,
  ]);
});

it('knows the block device of a claim only', () => {
  const devices = (name: string, ...volumes: object[]) =>
    refusal(PODS, pod({ volumes }, { volumeDevices: [{ name, devicePath: '/dev/x' }] }));
  const at = 'spec.containers[0].volumeDevices[0].name';
  expect(devices('w', VOLUME)).toEqual([`${at}: Not found: "w"`]);
  expect(devices('v', VOLUME)).toEqual([
    `${at}: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`,
  ]);
  expect(devices('v', { name: 'v', persistentVolumeClaim: { claimName: 'c' } })).toEqual([]);
});

it('keeps devices and mounts of a container apart', () => {
  const claim = (name: string) => ({ name, persistentVolumeClaim: { claimName: name } });
  const problems = (volumeDevices: object[], volumeMounts: object[] = []) =>
    refusal(PODS, pod({ volumes: ['a', 'b'].map(claim) }, { volumeDevices, volumeMounts })).map(
      (text) => text.replace('spec.containers[0].', ''),
    );
  const device = (name: string, devicePath: string) => ({ name, devicePath });
  expect(problems([device('a', '/dev/a'), device('b', '/mnt/b')])).toEqual([]);
  expect(problems([device('a', '/dev/a'), device('a', '/dev/a')])).toEqual([
    'volumeDevices[1].name: Invalid value: "a": must be unique',
    'volumeDevices[1].devicePath: Invalid value: "/dev/a": must be unique',
  ]);
  expect(problems([device('a', ''), device('b', '/dev/../b')])).toEqual([
    'volumeDevices[0].devicePath: Required value',
    `volumeDevices[1].devicePath: Invalid value: "/dev/../b": can not contain backsteps ('..')`,
  ]);
  expect(problems([device('a', '/x')], [{ name: 'a', mountPath: '/x' }])).toEqual([
    'volumeMounts[0].name: Invalid value: "a": must not already exist in volumeDevices',
    'volumeMounts[0].mountPath: Invalid value: "/x": must not already exist as a path in volumeDevices',
    'volumeDevices[0].name: Invalid value: "a": must not already exist in volumeMounts',
    'volumeDevices[0].devicePath: Invalid value: "/x": must not already exist as a path in volumeMounts',
  ]);
});

it.each<[object, readonly string[]]>([
  [{ readOnly: true, recursiveReadOnly: 'Enabled' }, []],
  [{ recursiveReadOnly: 'Disabled' }, []],
  [{ recursiveReadOnly: 'IfPossible' }, ['Forbidden: may only be specified when readOnly is true']],
  [
    { readOnly: true, recursiveReadOnly: 'Enabled', mountPropagation: 'HostToContainer' },
    ['Forbidden: may only be specified when mountPropagation is None or not specified'],
  ],
  [
    { recursiveReadOnly: 'Always' },
    ['Unsupported value: "Always": supported values: "Disabled", "IfPossible", "Enabled"'],
  ],
])('mounts read-only in depth as upstream lets one ask for it: %j', (mount, expected) => {
  const volumeMounts = [{ name: 'v', mountPath: '/v', ...mount }];
  expect(refusal(PODS, pod({ volumes: [VOLUME] }, { volumeMounts }))).toEqual(
    expected.map((why) => `spec.containers[0].volumeMounts[0].recursiveReadOnly: ${why}`),
  );
});

it('holds a volume of an image to a reference and a policy', () => {
  const withImage = (image: object) => refusal(PODS, pod({ volumes: [{ name: 'v', image }] }));
  const at = 'spec.volumes[0].image';
  expect(withImage({ reference: '' })).toEqual([`${at}.reference: Required value`]);
  expect(withImage({ reference: 'r', pullPolicy: 'Sometimes' })).toEqual([
    `${at}.pullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
  ]);
});
