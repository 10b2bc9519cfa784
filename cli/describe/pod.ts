import { isSameResources, resourcesOf } from '../../api/pod-resources';
import { addressesOf } from '../../api/service-endpoints';
import type { Container, ContainerStatus, Pod } from '../../api/types';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { describeVolumes } from './volumes';
import type { DescribeWriter } from './writer';

export const describePod = (writer: DescribeWriter, pod: Pod): void => {
  const { metadata, spec, status } = pod;
  writer.field(0, 'Priority', spec.priority ?? 0);
  writer.field(0, 'Service Account', spec.serviceAccountName);
  writer.field(
    0,
    'Node',
    spec.nodeName === undefined ? '' : `${spec.nodeName}/${status.hostIP ?? ''}`,
  );
  writer.field(0, 'Start Time', status.startTime);
  writer.pairs(0, 'Labels', metadata.labels);
  writer.annotations(metadata.annotations);
  if (metadata.deletionTimestamp !== undefined) {
    writer.field(0, 'Status', `Terminating (until ${metadata.deletionTimestamp})`);
  } else writer.field(0, 'Status', status.phase);
  if (status.reason !== undefined) writer.field(0, 'Reason', status.reason);
  if (status.message !== undefined) writer.field(0, 'Message', status.message);
  writer.field(0, 'IP', status.podIP);
  const addresses = addressesOf(pod);
  if (addresses.length > 1) writer.field(0, 'IPs', addresses.join(', '));
  const [owner] = metadata.ownerReferences ?? [];
  if (owner !== undefined) writer.field(0, 'Controlled By', `${owner.kind}/${owner.name}`);
  const { nominatedNodeName = '' } = status;
  if (nominatedNodeName !== '') writer.field(0, 'NominatedNodeName', nominatedNodeName);
  if (spec.resources !== undefined) {
    writer.heading(0, 'Resources');
    writer.pairs(1, 'Limits', spec.resources.limits);
    writer.pairs(1, 'Requests', spec.resources.requests);
  }
  if (spec.initContainers !== undefined && spec.initContainers.length > 0) {
    writer.heading(0, 'Init Containers');
    describeContainers(writer, spec.initContainers, status.initContainerStatuses ?? []);
  }
  writer.heading(0, 'Containers');
  describeContainers(writer, spec.containers, status.containerStatuses ?? []);
  const added = (spec.ephemeralContainers ?? []) as readonly Container[];
  if (added.length > 0) {
    writer.heading(0, 'Ephemeral Containers');
    describeContainers(writer, added, status.ephemeralContainerStatuses ?? []);
  }
  writer.heading(0, 'Conditions');
  const conditions = (status.conditions ?? []).map((condition) => [
    condition.type,
    condition.status,
    condition.reason ?? '',
    printable(condition.message ?? ''),
  ]);
  writer.raw(1, formatTable(['Type', 'Status', 'Reason', 'Message'], conditions));
  describeVolumes(writer, pod);
  writer.field(0, 'QoS Class', status.qosClass);
  writer.pairs(0, 'Node-Selectors', spec.nodeSelector);
  writer.field(0, 'Tolerations', (spec.tolerations ?? []).map(tolerationText).join(', '));
};

const describeContainers = (
  writer: DescribeWriter,
  containers: readonly Container[],
  statuses: readonly ContainerStatus[],
): void => {
  for (const container of containers) {
    const status = statuses.find(({ name }) => name === container.name);
    writer.heading(1, container.name);
    writer.field(2, 'Container ID', status?.containerID);
    writer.field(2, 'Image', container.image);
    writer.field(2, 'Image ID', status?.imageID);
    const ports = (container.ports ?? []).map((p) => `${p.containerPort}/${p.protocol ?? 'TCP'}`);
    if (ports.length > 0) writer.field(2, 'Ports', ports.join(', '));
    if (container.command !== undefined) writer.field(2, 'Command', container.command.join(' '));
    if (container.args !== undefined) writer.field(2, 'Args', container.args.join(' '));
    describeState(writer, 'State', status?.state);
    if (status?.lastState?.terminated !== undefined) {
      describeState(writer, 'Last State', status.lastState);
    }
    writer.field(2, 'Ready', status?.ready === true ? 'True' : 'False');
    writer.field(2, 'Restart Count', status?.restartCount ?? 0);
    writer.pairs(2, 'Limits', container.resources?.limits);
    writer.pairs(2, 'Requests', container.resources?.requests);
    const { resources: inForce } = status ?? {};
    if (inForce !== undefined && !isSameResources(inForce, resourcesOf(container))) {
      writer.pairs(2, 'Limits in force', inForce.limits);
      writer.pairs(2, 'Requests in force', inForce.requests);
    }
    const env = Object.fromEntries(
      (container.env ?? []).map(({ name, value, valueFrom }) => [
        name,
        value ?? `<from ${Object.keys(valueFrom ?? {}).join()}>`,
      ]),
    );
    writer.pairs(2, 'Environment', env);
    const mounts = Object.fromEntries(
      (container.volumeMounts ?? []).map((mount) => [
        mount.mountPath,
        `${mount.name} (${mount.readOnly === true ? 'ro' : 'rw'})`,
      ]),
    );
    writer.pairs(2, 'Mounts', mounts);
    const { volumeDevices = [] } = container;
    const devices = volumeDevices.map(({ devicePath, name }) => `${devicePath} from ${name}`);
    if (devices.length > 0) writer.field(2, 'Devices', devices.sort().join(', '));
  }
};

const describeState = (
  writer: DescribeWriter,
  title: string,
  state: ContainerStatus['state'] | undefined,
): void => {
  if (state?.running !== undefined) {
    writer.field(2, title, `Running since ${state.running.startedAt ?? 'now'}`);
  } else if (state?.terminated !== undefined) {
    const { reason = '', exitCode, finishedAt = '', message } = state.terminated;
    writer.field(2, title, `Terminated: ${reason}, exit code ${exitCode}, at ${finishedAt}`);
    if (message !== undefined) writer.field(2, 'Message', message.trim());
  } else {
    const { reason = 'ContainerCreating', message } = state?.waiting ?? {};
    writer.field(2, title, `Waiting: ${reason}`);
    if (message !== undefined) writer.field(2, 'Message', message);
  }
};

const tolerationText = ({
  key = '',
  operator,
  value,
  effect,
  tolerationSeconds,
}: NonNullable<Pod['spec']['tolerations']>[number]): string =>
  [
    key,
    value === undefined ? '' : `=${value}`,
    effect === undefined ? '' : `:${effect}`,
    operator === 'Exists' ? ' op=Exists' : '',
    tolerationSeconds === undefined ? '' : ` for ${tolerationSeconds}s`,
  ].join('');
