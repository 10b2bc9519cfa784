import type { Deployment } from '../../api/types';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { alignedTemplate } from './pod-template';
import type { DescribeWriter } from './writer';

export const describeDeployment = (writer: DescribeWriter, deployment: Deployment): void => {
  const { metadata, spec, status } = deployment;
  writer.field(0, 'Created', metadata.creationTimestamp ?? undefined);
  writer.pairs(0, 'Labels', metadata.labels);
  writer.annotations(metadata.annotations);
  writer.pairs(0, 'Selector', spec.selector.matchLabels);
  const {
    updatedReplicas = 0,
    replicas = 0,
    availableReplicas = 0,
    unavailableReplicas = 0,
  } = status;
  writer.field(
    0,
    'Replicas',
    `${spec.replicas ?? 1} desired | ${updatedReplicas} updated | ${replicas} total | ` +
      `${availableReplicas} available | ${unavailableReplicas} unavailable`,
  );
  writer.field(0, 'StrategyType', spec.strategy?.type);
  const { maxSurge, maxUnavailable } = spec.strategy?.rollingUpdate ?? {};
  if (maxSurge !== undefined || maxUnavailable !== undefined) {
    writer.field(
      0,
      'RollingUpdate',
      `${maxUnavailable ?? ''} max unavailable, ${maxSurge ?? ''} max surge`,
    );
  }
  writer.raw(0, alignedTemplate(spec.template));
  writer.heading(0, 'Conditions');
  const conditions = (status.conditions ?? []).map((condition) => [
    condition.type,
    condition.status,
    condition.reason ?? '',
    printable(condition.message ?? ''),
  ]);
  writer.raw(1, formatTable(['Type', 'Status', 'Reason', 'Message'], conditions));
};
