import { jsonEqual } from '../json-value';
import { dns1123SubdomainProblems, qualifiedNameProblems } from '../names';
import { parseQuantity } from '../quantity';
import type { CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment } from '../types';
import { validateLabelSelector } from './affinity';
import {
  duplicate,
  forbidden,
  immutable,
  invalid,
  invalidFor,
  nonNegative,
  notSupported,
  oneOf,
  required,
  tooLong,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validateTokenSeconds } from './token-seconds';

/* Source: pkg/apis/storage/validation/validation.go. Bodies may lack what their types promise. */

const CLUSTER: MetadataRules = { isNamespaced: false, name: subdomainName };
const NAMESPACED: MetadataRules = { isNamespaced: true, name: subdomainName };

const NODE_ID_MAX = 256;
const METADATA_BYTES_MAX = 256 * 1024;
const MESSAGE_MAX = 1024;
const UPDATE_SECONDS_MIN = 10;

export const validateCsiDriver = (driver: CSIDriver): readonly FieldError[] => [
  ...validateMetadata(driver, CLUSTER),
  ...validateDriverSpec(driver),
];

export const validateCsiDriverUpdate = (
  driver: CSIDriver,
  old: CSIDriver,
): readonly FieldError[] => [
  ...validateMetadataUpdate(driver, old, CLUSTER),
  ...validateDriverSpec(driver),
  ...(driver.spec?.attachRequired === old.spec?.attachRequired
    ? []
    : [immutable('spec.attachedRequired', driver.spec?.attachRequired)]),
  ...(jsonEqual(driver.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes)
    ? []
    : [immutable('spec.volumeLifecycleModes', driver.spec?.volumeLifecycleModes)]),
];

const validateDriverSpec = ({ spec }: Partial<CSIDriver>): readonly FieldError[] => {
  const { tokenRequests = [], volumeLifecycleModes = [] } = spec ?? {};
  const seconds = spec?.nodeAllocatableUpdatePeriodSeconds;
  return [
    ...(spec?.attachRequired === undefined ? [required('spec.attachedRequired')] : []),
    ...(spec?.podInfoOnMount === undefined ? [required('spec.podInfoOnMount')] : []),
    ...(spec?.storageCapacity === undefined ? [required('spec.storageCapacity')] : []),
    ...oneOf('spec.fsGroupPolicy', spec?.fsGroupPolicy, GROUP_POLICIES),
    ...tokenRequests.flatMap((request, i) =>
      tokenRequests.findIndex(({ audience }) => audience === request.audience) < i
        ? [duplicate(`spec.tokenRequests[${i}].audience`, request.audience)]
        : validateTokenSeconds(
            request.expirationSeconds,
            `spec.tokenRequests[${i}].expirationSeconds`,
          ),
    ),
    ...volumeLifecycleModes
      .filter((mode) => !MODES.includes(mode))
      .map((mode) => notSupported('spec.volumeLifecycleModes', mode, MODES)),
    ...(spec?.seLinuxMount === undefined ? [required('spec.seLinuxMount')] : []),
    ...(seconds !== undefined && seconds < UPDATE_SECONDS_MIN
      ? [
          invalid(
            'spec.nodeAllocatableUpdatePeriodSeconds',
            seconds,
            'must be greater than or equal to 10 seconds',
          ),
        ]
      : []),
  ];
};

const MODES: readonly string[] = ['Persistent', 'Ephemeral'];
const GROUP_POLICIES = ['File', 'None', 'ReadWriteOnceWithFSType'];

export const validateCsiNode = (node: CSINode): readonly FieldError[] => [
  ...validateMetadata(node, CLUSTER),
  ...validateNodeDrivers(node),
];

export const validateCsiNodeUpdate = (node: CSINode, old: CSINode): readonly FieldError[] => [
  ...validateMetadataUpdate(node, old, CLUSTER),
  ...validateNodeDrivers(node),
  ...driversOf(node).flatMap((driver) => {
    const before = driversOf(old).find(({ name }) => name === driver.name);
    const isSame = before === undefined || isSameNodeDriver(driver, before);
    return isSame ? [] : [immutable('spec.drivers', driver)];
  }),
];

type NodeDriver = NonNullable<CSINode['spec']>['drivers'][number];

/** How many volumes there may be is the only thing of a driver that changes. */
export const isSameNodeDriver = (a: NodeDriver, b: NodeDriver): boolean =>
  jsonEqual({ ...a, allocatable: null }, { ...b, allocatable: null });

const driversOf = ({ spec }: Partial<CSINode>): readonly NodeDriver[] =>
  (spec as Partial<CSINode['spec']>)?.drivers ?? [];

const validateNodeDrivers = (node: CSINode): readonly FieldError[] => {
  const seen = new Set<string>();
  return driversOf(node).flatMap((driver, i) => {
    const at = `spec.drivers[${i}]`;
    const { name = '', nodeID = '', allocatable } = driver as Partial<NodeDriver>;
    // Null where it was left out: the field is always written.
    const topologyKeys = driver.topologyKeys ?? [];
    const isRepeated = seen.has(name);
    seen.add(name);
    return [
      ...invalidFor(`${at}.name`, name, dns1123SubdomainProblems(name)),
      ...(nodeID === '' ? [required(`${at}.nodeID`)] : []),
      ...(nodeID.length > NODE_ID_MAX
        ? [invalid(`${at}.nodeID`, nodeID, `must be ${NODE_ID_MAX} characters or less`)]
        : []),
      ...nonNegative(`${at}.allocatable.count`, allocatable?.count),
      ...(isRepeated ? [duplicate(`${at}.name`, name)] : []),
      ...topologyKeys.flatMap((key, j) => [
        ...(key === '' ? [required(at)] : []),
        ...(topologyKeys.indexOf(key) < j ? [duplicate(at, key)] : []),
        ...invalidFor(at, key, qualifiedNameProblems(key)),
      ]),
    ];
  });
};

export const validateAttachment = (attachment: VolumeAttachment): readonly FieldError[] => [
  ...validateMetadata(attachment, CLUSTER),
  ...validateAttachmentSpec(attachment),
  ...validateAttachmentStatus(attachment),
  ...validateNamesIn(attachment),
];

export const validateAttachmentUpdate = (
  attachment: VolumeAttachment,
  old: VolumeAttachment,
): readonly FieldError[] => [
  ...validateMetadataUpdate(attachment, old, CLUSTER),
  ...validateAttachmentSpec(attachment),
  ...validateAttachmentStatus(attachment),
  ...(jsonEqual(attachment.spec, old.spec) ? [] : [immutable('spec', attachment.spec)]),
];

const ONE_SOURCE = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';

const validateAttachmentSpec = ({ spec }: Partial<VolumeAttachment>): readonly FieldError[] => {
  const {
    attacher = '',
    nodeName = '',
    source,
  } = (spec ?? {}) as Partial<NonNullable<VolumeAttachment['spec']>>;
  const { inlineVolumeSpec: inline, persistentVolumeName: name } = source ?? {};
  return [
    ...(attacher === '' ? [required('spec.attacher')] : []),
    ...(inline === undefined && name === undefined ? [required('spec.source', ONE_SOURCE)] : []),
    ...(inline !== undefined && name !== undefined ? [forbidden('spec.source', ONE_SOURCE)] : []),
    ...(inline === undefined && name === ''
      ? [
          required(
            'spec.source.persistentVolumeName',
            'must specify non empty persistentVolumeName',
          ),
        ]
      : []),
    ...invalidFor('spec.nodeName', nodeName, dns1123SubdomainProblems(nodeName)),
  ];
};

const validateNamesIn = ({ spec }: Partial<VolumeAttachment>): readonly FieldError[] => {
  const attacher = spec?.attacher ?? '';
  const name = spec?.source.persistentVolumeName;
  return [
    ...invalidFor('spec.attacher', attacher, dns1123SubdomainProblems(attacher)),
    ...(name === undefined
      ? []
      : invalidFor('spec.source.persistentVolumeName', name, dns1123SubdomainProblems(name))),
  ];
};

const validateAttachmentStatus = ({ status }: Partial<VolumeAttachment>): readonly FieldError[] => {
  const bytes = Object.entries(status?.attachmentMetadata ?? {}).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return [
    ...(bytes > METADATA_BYTES_MAX
      ? [tooLong('status.attachmentMetadata', METADATA_BYTES_MAX)]
      : []),
    ...(['attachError', 'detachError'] as const).flatMap((name) =>
      Buffer.byteLength(status?.[name]?.message ?? '') > MESSAGE_MAX
        ? [tooLong(`status.${name}.message`, METADATA_BYTES_MAX)]
        : [],
    ),
  ];
};

export const validateCapacity = (capacity: CSIStorageCapacity): readonly FieldError[] => {
  const { nodeTopology, storageClassName: name = '' } = capacity as Partial<CSIStorageCapacity>;
  return [
    ...validateMetadata(capacity, NAMESPACED),
    ...(nodeTopology === undefined ? [] : validateLabelSelector(nodeTopology, 'nodeTopology')),
    ...invalidFor('storageClassName', name, dns1123SubdomainProblems(name)),
    ...(capacity.capacity !== undefined && parseQuantity(capacity.capacity).nanos < 0n
      ? [invalid('capacity', capacity.capacity, 'must be greater than or equal to 0')]
      : []),
  ];
};

export const validateCapacityUpdate = (
  capacity: CSIStorageCapacity,
  old: CSIStorageCapacity,
): readonly FieldError[] => [
  ...validateMetadataUpdate(capacity, old, NAMESPACED),
  ...(['nodeTopology', 'storageClassName'] as const)
    .filter((field) => !jsonEqual(capacity[field], old[field]))
    .map((field) => immutable(field, capacity[field])),
];
