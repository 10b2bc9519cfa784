import {
  addQuantities,
  excessOf,
  isSameText,
  listed,
  NOTHING,
  only,
  quantitiesOf,
  sumOf,
  textsOf,
  without,
  type Amounts,
} from '../amounts';
import { compareQuantities, type Quantity } from '../quantity';
import { PODS } from '../resources';
import { uidOf, type ApiObject, type Pod, type ResourceQuota } from '../types';
import { isExpired, PENDING_USAGE, pendingText, readPending, type Pending } from './pending';
import { isPodWithin, scopesOf } from './scopes';
import { concerns, unspecifiedIn, usageOf, type Counted } from './usage';

/*
 * What a quota allows, and what of that is used. `used` is never less than what is stored together
 * with what is about to be: who writes adds first, by compare-and-swap on the quota, and only
 * `recounted` lowers it. So nothing that is allowed by it goes beyond the quota, however many servers
 * write at once.
 */
export interface Ledger {
  readonly hard: Amounts;
  readonly used: Amounts;
  readonly pending: readonly Pending[];
}

/** What is there of one kind. */
export type Stock = readonly [kind: Counted, objects: readonly ApiObject[]];

export const ledgerOf = ({ spec, status, metadata }: ResourceQuota): Ledger => ({
  hard: quantitiesOf(spec?.hard),
  used: quantitiesOf(status?.used),
  pending: readPending(metadata.annotations?.[PENDING_USAGE]),
});

/** Has all that the quota bounds been counted? A new quota begins without. */
export const isCountedOut = ({ hard, used }: Ledger): boolean =>
  [...hard.keys()].every((name) => used.has(name));

/** Do they say the same? Then one need not be written over the other. */
export const isSameLedger = (a: Ledger, b: Ledger): boolean =>
  a.pending.length === b.pending.length &&
  a.pending.every(({ id }, i) => id === b.pending[i]?.id) &&
  isSameText(a.used, b.used) &&
  isSameText(a.hard, b.hard);

/** The quota with the ledger in it, as it is stored. */
export const withLedger = (quota: ResourceQuota, ledger: Ledger): ResourceQuota => {
  const { annotations, ...metadata } = quota.metadata;
  const { [PENDING_USAGE]: _old, ...others } = annotations ?? {};
  const pending = pendingText(ledger.pending);
  const next = pending === undefined ? others : { ...others, [PENDING_USAGE]: pending };
  return {
    ...quota,
    // Whoever writes a status says which annotations there are, were it none.
    metadata:
      annotations === undefined && pending === undefined
        ? metadata
        : { ...metadata, annotations: next },
    status: { hard: textsOf(ledger.hard), used: textsOf(ledger.used) },
  };
};

/** Does the quota bound anything of the kind? */
export const bounds = (quota: ResourceQuota, kind: Counted): boolean => {
  const known = bounded.get(quota) ?? new Map<string, boolean>();
  bounded.set(quota, known);
  const key = `${kind.plural}.${kind.group}`;
  let answer = known.get(key);
  if (answer === undefined) {
    answer = Object.keys(quota.spec?.hard ?? {}).some((name) => concerns(kind, name));
    known.set(key, answer);
  }
  return answer;
};

/** Each write in its namespace asks. A quota that is stored does not change. */
const bounded = new WeakMap<ResourceQuota, Map<string, boolean>>();

/** What the object uses of what the quota bounds. @throws QuantityError */
export const shareOf = (
  quota: ResourceQuota,
  kind: Counted,
  object: ApiObject,
  nowMs: number,
): Amounts => {
  const { hard = {} } = quota.spec ?? {};
  if (!isWithin(quota, kind, object)) return NOTHING;
  return only(usageOf(kind, object, nowMs), (name) => Object.hasOwn(hard, name));
};

/** What a write adds: the object as it is to be, without what was there of it. */
export const demandOf = (
  quota: ResourceQuota,
  kind: Counted,
  object: ApiObject,
  old: ApiObject | undefined,
  nowMs: number,
): Amounts =>
  excessOf(
    shareOf(quota, kind, object, nowMs),
    old === undefined ? NOTHING : shareOf(quota, kind, old, nowMs),
  );

/** What a pod must say before the quota can count it: `must specify cpu for: c`. */
export const unspecified = (quota: ResourceQuota, pod: Pod): string | undefined => {
  if (!isWithin(quota, PODS, pod)) return undefined;
  const missing = unspecifiedIn(pod.spec, Object.keys(quota.spec?.hard ?? {}));
  const texts = [...missing].map(
    ([name, containers]) => `${name} for: ${[...new Set(containers)].sort().join(',')}`,
  );
  return texts.length === 0 ? undefined : `must specify ${texts.join('; ')}`;
};

/** Why there is no room for the demand, in upstream's words; undefined when there is. */
export const excessIn = (
  name: string,
  { hard, used }: Ledger,
  demand: Amounts,
): string | undefined => {
  const wanted = sumOf(used, demand);
  const exceeded = new Set(
    [...demand.keys()].filter((each) => isMore(wanted.get(each), hard.get(each))),
  );
  if (exceeded.size === 0) return undefined;
  const [requested, present, limited] = [demand, used, hard].map((amounts) =>
    listed(only(amounts, (each) => exceeded.has(each))),
  );
  return (
    `exceeded quota: ${name}, requested: ${requested ?? ''}, used: ${present ?? ''}, ` +
    `limited: ${limited ?? ''}`
  );
};

export const noted = (ledger: Ledger, pending: Pending): Ledger => ({
  ...ledger,
  used: sumOf(ledger.used, pending.adds),
  pending: [...ledger.pending, pending],
});

/** The write was refused. Nothing is given back that is not noted any more: it has been counted. */
export const released = (ledger: Ledger, id: string): Ledger => {
  const entry = ledger.pending.find((each) => each.id === id);
  if (entry === undefined) return ledger;
  return {
    ...ledger,
    used: without(ledger.used, entry.adds),
    pending: ledger.pending.filter((each) => each !== entry),
  };
};

/** The writes are stored: what they added stays. */
export const settled = (ledger: Ledger, ids: ReadonlySet<string>): Ledger => {
  const pending = ledger.pending.filter((each) => !ids.has(each.id));
  return pending.length === ledger.pending.length ? ledger : { ...ledger, pending };
};

/**
 * Counts anew. The stock must be all that the quota bounds, and at least as new as the quota itself;
 * what is under way counts beside it. `known` is what the quota says.
 */
export const recounted = (
  quota: ResourceQuota,
  { hard, pending }: Ledger,
  stock: readonly Stock[],
  nowMs: number,
): Ledger => {
  const used = new Map<string, Quantity>();
  for (const name of hard.keys()) used.set(name, { nanos: 0n, format: 'DecimalSI' });
  const noted = new Set(pending.map(({ uid }) => uid));
  const versions = new Map<string, string>();
  for (const [kind, objects] of stock)
    for (const object of objects) {
      addTo(used, shareOf(quota, kind, object, nowMs));
      const uid = uidOf(object);
      if (noted.has(uid)) versions.set(uid, object.metadata.resourceVersion ?? '');
    }
  const underWay = pending.filter(
    (each) => (versions.get(each.uid) ?? '') === each.from && !isExpired(each, nowMs),
  );
  for (const { adds } of underWay) addTo(used, adds);
  return { hard, used, pending: underWay };
};

/** Of names that are there already. */
const addTo = (used: Map<string, Quantity>, amounts: Amounts): void => {
  for (const [name, amount] of amounts) {
    const present = used.get(name);
    if (present !== undefined) used.set(name, addQuantities(present, amount));
  }
};

const isWithin = (quota: ResourceQuota, kind: Counted, object: ApiObject): boolean => {
  if (!bounds(quota, kind)) return false;
  const scopes = scopesOf(quota);
  const isPod = kind.group === PODS.group && kind.plural === PODS.plural;
  return (
    scopes.length === 0 || (isPod && scopes.every((scope) => isPodWithin(object as Pod, scope)))
  );
};

const isMore = (a: Quantity | undefined, b: Quantity | undefined): boolean =>
  a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
