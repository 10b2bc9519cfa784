import type { LimitRange, ResourceQuota } from '../../api/types';
import type { Rows } from './network';
import { tabbed } from './tabbed';

/** What is used of each thing, and what may be. */
export const describeQuota = (quota: ResourceQuota): string =>
  tabbed([
    ['Name:', quota.metadata.name],
    ['Namespace:', quota.metadata.namespace ?? ''],
    ...quotaRows(quota, '----'),
  ]);

/** @param line Below two of the titles: kubectl draws it longer for a quota than for one of a namespace. */
export const quotaRows = ({ spec, status }: ResourceQuota, line: string): Rows => {
  const { hard = {}, used = {} } = status ?? {};
  const scopes = [...(spec?.scopes ?? [])].sort();
  return [
    ...(scopes.length === 0 ? [] : [['Scopes:', scopes.join(', ')]]),
    ...scopes.flatMap((scope) => {
      const text = SCOPES.get(scope);
      return text === undefined ? [] : [[` * ${text}`]];
    }),
    ['Resource', 'Used', 'Hard'],
    ['--------', line, line],
    ...Object.keys(hard)
      .sort()
      .map((name) => [name, used[name] ?? '0', hard[name] ?? '']),
  ];
};

const SCOPES: ReadonlyMap<string, string> = new Map([
  [
    'Terminating',
    'Matches all pods that have an active deadline. These pods have a limited lifespan on a node ' +
      'before being actively terminated by the system.',
  ],
  [
    'NotTerminating',
    'Matches all pods that do not have an active deadline. These pods usually include long running ' +
      'pods whose container command is not expected to terminate.',
  ],
  [
    'BestEffort',
    'Matches all pods that do not have resource requirements set. These pods have a best effort ' +
      'quality of service.',
  ],
  [
    'NotBestEffort',
    'Matches all pods that have at least one resource requirement set. These pods have a burstable ' +
      'or guaranteed quality of service.',
  ],
]);

/** What one may have of each thing, by what it is part of. */
export const describeLimits = (range: LimitRange): string =>
  tabbed([
    ['Name:', range.metadata.name],
    ['Namespace:', range.metadata.namespace ?? ''],
    ...limitRows([range]),
  ]);

export const limitRows = (ranges: readonly LimitRange[]): Rows => [
  HEADER,
  HEADER.map((title) => '-'.repeat(title.length)),
  ...ranges
    .flatMap(({ spec }) => spec?.limits ?? [])
    .flatMap((item) => {
      const lists = [
        item.min,
        item.max,
        item.defaultRequest,
        item.default,
        item.maxLimitRequestRatio,
      ];
      const names = new Set(lists.flatMap((list) => Object.keys(list ?? {})));
      return [...names]
        .sort()
        .map((name) => [item.type, name, ...lists.map((list) => list?.[name] ?? '-')]);
    }),
];

const HEADER = [
  ...['Type', 'Resource', 'Min', 'Max'],
  ...['Default Request', 'Default Limit', 'Max Limit/Request Ratio'],
];
