import { withCondition } from '../../../api/pods';
import { holds, rangesOf, READY, SERVICE_CIDR_FINALIZER } from '../../../api/service-cidrs';
import type { ServiceCidr } from '../../../api/types';
import { formatPrefix, ipOf, prefixContains, type IpPrefix } from '../../../lib/net/ip';

export type Step =
  | { readonly kind: 'write'; readonly object: ServiceCidr; readonly isStatus: boolean }
  /** Nothing of it may be given to anybody any more: what was under way has ended by then. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** Gone, unless a newer look at services finds an address after all. */
  | { readonly kind: 'release'; readonly object: ServiceCidr };

/**
 * Pure: the next step of one ServiceCIDR, undefined when it is as it should be. Source: upstream's
 * pkg/controller/servicecidrs.
 *
 * @param addresses Of all services.
 */
export const planServiceCidr = (
  object: ServiceCidr,
  all: readonly ServiceCidr[],
  addresses: Iterable<string>,
  now: { readonly text: string; readonly ms: number },
): Step | undefined => {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  const isKept = finalizers.includes(SERVICE_CIDR_FINALIZER);
  if (deletionTimestamp === undefined) {
    if (!isKept) return changed(object, [...finalizers, SERVICE_CIDR_FINALIZER]);
    return withReady(object, { status: 'True', reason: '', message: READY_MESSAGE }, now.text);
  }
  if (!isKept) return undefined;
  if (isNeeded(object, all, addresses))
    return withReady(
      object,
      { status: 'False', reason: 'Terminating', message: HELD_MESSAGE },
      now.text,
    );
  const waitMs = GRACE_MS - (now.ms - Date.parse(deletionTimestamp));
  if (waitMs > 0) return { kind: 'wait', ms: waitMs };
  const rest = finalizers.filter((each) => each !== SERVICE_CIDR_FINALIZER);
  return { kind: 'release', object: withFinalizers(object, rest) };
};

/** Pure: would an address of a service be in no range without it? */
export const isNeeded = (
  object: ServiceCidr,
  all: readonly ServiceCidr[],
  addresses: Iterable<string>,
): boolean => {
  const others = all
    .filter(({ metadata }) => metadata.name !== object.metadata.name)
    // Of two that go at once neither covers for the other.
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap(rangesOf);
  const alone = rangesOf(object).filter((range) => !others.some((other) => covers(other, range)));
  if (alone.length === 0) return false;
  for (const text of addresses) {
    const address = ipOf(text);
    if (address === undefined || others.some((other) => holds(other, address))) continue;
    if (alone.some((range) => holds(range, address))) return true;
  }
  return false;
};

/** Pure: the cluster's own, when the server's options have gained a family; the same when not. */
export const withBothFamilies = (own: ServiceCidr, configured: readonly string[]): ServiceCidr => {
  const cidrs = own.spec?.cidrs ?? [];
  const isGaining = configured.length === 2 && cidrs.length === 1 && cidrs[0] === configured[0];
  return isGaining ? { ...own, spec: { cidrs: [...configured] } } : own;
};

/** Does every address of the second stand in the first, so that none is at its edge? */
const covers = (outer: IpPrefix, inner: IpPrefix): boolean =>
  formatPrefix(outer) === formatPrefix(inner) ||
  (outer.length < inner.length && prefixContains(outer, inner.address));

const withReady = (
  object: ServiceCidr,
  ready: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string },
  now: string,
): Step | undefined => {
  const before = object.status?.conditions ?? [];
  const known = before.find(({ type }) => type === READY);
  if (
    known?.status === ready.status &&
    known.message === ready.message &&
    known.reason === ready.reason
  )
    return undefined;
  const conditions = withCondition(before, { type: READY, ...ready }, now);
  return {
    kind: 'write',
    object: { ...object, status: { ...object.status, conditions } } as ServiceCidr,
    isStatus: true,
  };
};

const changed = (object: ServiceCidr, finalizers: readonly string[]): Step => ({
  kind: 'write',
  object: withFinalizers(object, finalizers),
  isStatus: false,
});

const withFinalizers = (object: ServiceCidr, finalizers: readonly string[]): ServiceCidr => ({
  ...object,
  metadata: { ...object.metadata, finalizers: [...finalizers] },
});

const READY_MESSAGE = 'Kubernetes Service CIDR is ready';
const HELD_MESSAGE =
  'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';
/** Upstream's. */
const GRACE_MS = 10_000;
