import type * as core from 'kubernetes-types/core/v1';
import { EXACT, NOTHING, quantitiesOf, type Amounts } from './amounts';
import { podTotal } from './pods';
import { compareQuantities, formatQuantity, type Quantity } from './quantity';
import type { DeepReadonly, LimitRange, PodSpec } from './types';

type Item = DeepReadonly<core.LimitRangeItem>;

/** What is asked for, and the most that may be used. */
export interface Bounded {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

/** What a pod is that a limit range does not allow, in upstream's words. @throws QuantityError */
export const limitProblems = (range: LimitRange, spec: PodSpec): readonly string[] =>
  itemsOf(range).flatMap((item) => {
    switch (item.type) {
      case 'Container':
        return [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
          problems(item, {
            requests: quantitiesOf(resources?.requests),
            limits: quantitiesOf(resources?.limits),
          }),
        );
      case 'Pod':
        return problems(item, {
          requests: podTotal(spec, 'requests', EXACT),
          limits: podTotal(spec, 'limits', EXACT),
        });
      default:
        return [];
    }
  });

/** The same of what a claim requests. What it had requested already is not held against it. */
export const claimProblems = (
  range: LimitRange,
  requests: Amounts,
  old: Amounts,
): readonly string[] =>
  itemsOf(range)
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap((item) => {
      const isNew = ([name]: readonly [string, Quantity]): boolean =>
        requests.get(name)?.nanos !== old.get(name)?.nanos || !requests.has(name);
      const asked = { requests, limits: NOTHING };
      return [
        ...each(item.min).filter(isNew).flatMap(belowMin(item.type, asked)),
        ...each(item.max).filter(isNew).flatMap(aboveMaxRequest(item.type, requests)),
      ];
    });

/** The defaults of a range for containers: what they ask for, and what they may use. */
export const containerDefaults = (
  range: LimitRange,
): { readonly limits: Texts; readonly requests: Texts } => {
  const items = itemsOf(range).filter(({ type }) => type === 'Container');
  return {
    limits: Object.assign({}, ...items.map((item) => item.default)) as Texts,
    requests: Object.assign({}, ...items.map((item) => item.defaultRequest)) as Texts,
  };
};

type Texts = Readonly<Record<string, string>>;

const itemsOf = ({ spec }: LimitRange): readonly Item[] =>
  (spec?.limits as readonly Item[] | null | undefined) ?? [];

const problems = (item: Item, asked: Bounded): readonly string[] => [
  ...each(item.min).flatMap(belowMin(item.type, asked)),
  ...each(item.max).flatMap(aboveMax(item.type, asked)),
  ...each(item.maxLimitRequestRatio).flatMap(aboveRatio(item.type, asked)),
];

const each = (list: Texts | undefined): readonly (readonly [string, Quantity])[] =>
  [...quantitiesOf(list)].sort(([a], [b]) => (a < b ? -1 : 1));

type Check = (bound: readonly [name: string, amount: Quantity]) => readonly string[];

const belowMin =
  (type: string, { requests, limits }: Bounded): Check =>
  ([name, min]) => {
    const text = `minimum ${name} usage per ${type} is ${formatQuantity(min)}`;
    const [request, limit] = [requests.get(name), limits.get(name)];
    if (request === undefined) return [`${text}.  No request is specified`];
    if (isMore(min, request)) return [`${text}, but request is ${formatQuantity(request)}`];
    return limit !== undefined && isMore(min, limit)
      ? [`${text}, but limit is ${formatQuantity(limit)}`]
      : [];
  };

const aboveMax =
  (type: string, { requests, limits }: Bounded): Check =>
  ([name, max]) => {
    const text = `maximum ${name} usage per ${type} is ${formatQuantity(max)}`;
    const [request, limit] = [requests.get(name), limits.get(name)];
    if (limit === undefined) return [`${text}.  No limit is specified`];
    if (isMore(limit, max)) return [`${text}, but limit is ${formatQuantity(limit)}`];
    return request !== undefined && isMore(request, max)
      ? [`${text}, but request is ${formatQuantity(request)}`]
      : [];
  };

const aboveMaxRequest =
  (type: string, requests: Amounts): Check =>
  ([name, max]) => {
    const text = `maximum ${name} usage per ${type} is ${formatQuantity(max)}`;
    const request = requests.get(name);
    if (request === undefined) return [`${text}.  No request is specified`];
    return isMore(request, max) ? [`${text}, but request is ${formatQuantity(request)}`] : [];
  };

const aboveRatio =
  (type: string, { requests, limits }: Bounded): Check =>
  ([name, ratio]) => {
    const text = `${name} max limit to request ratio per ${type} is ${formatQuantity(ratio)}`;
    const [request, limit] = [requests.get(name), limits.get(name)];
    if (request === undefined || request.nanos === 0n)
      return [`${text}, but no request is specified or request is 0`];
    if (limit === undefined || limit.nanos === 0n)
      return [`${text}, but no limit is specified or limit is 0`];
    if (limit.nanos * NANOS <= request.nanos * ratio.nanos) return [];
    const provided = Number(limit.nanos) / Number(request.nanos);
    return [`${text}, but provided ratio is ${provided.toFixed(6)}`];
  };

const NANOS = 1_000_000_000n;

const isMore = (a: Quantity, b: Quantity): boolean => compareQuantities(a, b) > 0;
