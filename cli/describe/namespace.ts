import type { LimitRange, Namespace, ResourceQuota } from '../../api/types';
import { limitRows, quotaRows } from './limits';
import { labelRows, type Rows } from './network';
import { tabbed } from './tabbed';

/** What holds in it. */
export interface InNamespace {
  readonly quotas: readonly ResourceQuota[];
  readonly limits: readonly LimitRange[];
}

/** As kubectl describes it. */
export const describeNamespace = (
  namespace: Namespace,
  { quotas, limits }: InNamespace,
): string => {
  const { metadata, status } = namespace;
  const [labels, annotations] = labelRows(namespace);
  return tabbed([
    ['Name:', metadata.name],
    ...labels,
    ...annotations,
    ['Status:', status?.phase ?? ''],
    ...conditionRows(namespace),
    [''],
    ...(quotas.length === 0 ? [['No resource quota.']] : allQuotaRows(quotas)),
    [''],
    ...(limits.length === 0 ? [['No LimitRange resource.']] : allLimitRows(limits)),
  ]);
};

const conditionRows = ({ status }: Namespace): Rows => {
  const conditions = status?.conditions ?? [];
  return conditions.length === 0
    ? []
    : [
        ['Conditions:'],
        ['  Type', 'Status', 'LastTransitionTime', 'Reason', 'Message'],
        ['  ----', '------', '------------------', '------', '-------'],
        ...conditions.map((each) => [
          ...[`  ${each.type}`, each.status, each.lastTransitionTime ?? ''],
          ...[each.reason ?? '', each.message ?? ''],
        ]),
      ];
};

const allQuotaRows = (quotas: readonly ResourceQuota[]): Rows => [
  ['Resource Quotas'],
  ...quotas.flatMap((quota) => [
    ['  Name:', quota.metadata.name],
    ...quotaRows(quota, '---').map(([first = '', ...rest]) => [`  ${first.trimStart()}`, ...rest]),
  ]),
];

const allLimitRows = (limits: readonly LimitRange[]): Rows => [
  ['Resource Limits'],
  ...limitRows(limits).map(([first = '', ...rest]) => [` ${first}`, ...rest]),
];
