import { isExtendedResource } from '../../api/resource-names';
import { uidOf, type Container, type Pod } from '../../api/types';
import type { Clock } from '../../lib/clock';
import type { Refusal } from '../plan/admission';
import { requestsOf } from '../pod-spec/requests';
import type { CdiSpecs } from './cdi-source';
import type { DeviceStore, Grant, GrantedIds, PodDevices } from './device-store';
import { mergeEdits, NO_EDITS, type DeviceEdits } from './edits';
import { chooseDevices, nextNeed, stillReserved } from './plan';
import type { DeviceSource } from './source';

interface DeviceManagerDeps {
  readonly store: DeviceStore;
  readonly specs: CdiSpecs;
  /** Does what the pod had need to be kept for it no longer? */
  readonly hasGivenUp: (podUid: string) => boolean;
  readonly clock: Clock;
}

/** How many there are, and how many of them pods may have, by the name of the resource. */
export interface DeviceCounts {
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

/** What pods need of the devices of their node. */
export interface PodDeviceAccess {
  /** Why the pod cannot have what it asks for; undefined when it can. */
  refuse(pod: Pod): Refusal | undefined;
  /** Keeps devices for the pod, noted before it returns; which, is decided when they are handed out. */
  reserve(pod: Pod): Refusal | undefined;
  /** Has it not been handed all of its devices yet? */
  lacks(pod: Pod): boolean;
  /** Hands them out. May be done again. @throws Error in upstream's words */
  allocate(pod: Pod, signal: AbortSignal): Promise<void>;
  /** Before each start of a container. @throws Error in upstream's words */
  prepare(pod: Pod, container: Container, signal: AbortSignal): Promise<DeviceEdits>;
  /** Nothing of the pod runs any more. Idempotent. */
  release(podUid: string): void;
  /** Pods that have devices. */
  podUids(): readonly string[];
}

/** A node without devices. */
export const NO_DEVICES: PodDeviceAccess = {
  refuse: () => undefined,
  reserve: () => undefined,
  lacks: () => false,
  allocate: () => Promise.resolve(),
  prepare: () => Promise.resolve(NO_EDITS),
  release: () => undefined,
  podUids: () => [],
};

/** Which devices of the node are whose. Source: pkg/kubelet/cm/devicemanager/manager.go */
export class DeviceManager implements PodDeviceAccess {
  private readonly sources = new Map<string, DeviceSource>();
  /** Monotonic: since when nobody offers a resource that was offered before. */
  private readonly missingSinceMs = new Map<string, number>();
  private readonly pods: Map<string, PodDevices>;

  constructor(private readonly deps: DeviceManagerDeps) {
    const { store, clock } = deps;
    this.pods = new Map(store.readAll());
    for (const name of store.readNames()) this.missingSinceMs.set(name, clock.monotonicMs());
  }

  /** From now on the devices of a resource come from there. */
  offer(resource: string, source: DeviceSource): void {
    if (!this.isKnown(resource)) this.deps.store.writeNames([...this.names(), resource]);
    this.missingSinceMs.delete(resource);
    this.sources.set(resource, source);
  }

  counts(): DeviceCounts {
    const capacity: Record<string, string> = {};
    const allocatable: Record<string, string> = {};
    for (const name of this.names()) {
      if (this.isForgotten(name)) continue;
      const health = [...(this.sources.get(name)?.devices() ?? NO_IDS).values()];
      capacity[name] = String(health.length);
      allocatable[name] = String(health.filter(Boolean).length);
    }
    return { capacity, allocatable };
  }

  refuse(pod: Pod): Refusal | undefined {
    if (this.pods.has(uidOf(pod))) return undefined;
    const problem = this.needs(pod).flatMap(([name, count]) => {
      const found = this.problemOf(pod, name, count);
      return found === undefined ? [] : [found];
    })[0];
    if (problem === undefined) return undefined;
    return { reason: UNEXPECTED, message: unexpectedMessage(problem) };
  }

  reserve(pod: Pod): Refusal | undefined {
    const refusal = this.refuse(pod);
    const needs = this.needs(pod);
    if (refusal !== undefined || needs.length === 0 || this.pods.has(uidOf(pod))) return refusal;
    const reserved = needs.map(([name, count]) => [name, this.free(pod, name).slice(0, count)]);
    this.keep(uidOf(pod), {
      reserved: Object.fromEntries(reserved) as PodDevices['reserved'],
      granted: {},
    });
    return undefined;
  }

  lacks(pod: Pod): boolean {
    return this.needs(pod).some(([name]) => this.nextNeed(pod, name) !== undefined);
  }

  async allocate(pod: Pod, signal: AbortSignal): Promise<void> {
    const [problem] = this.needs(pod).flatMap(([name, count]) =>
      this.pods.has(uidOf(pod)) ? [] : (this.problemOf(pod, name, count) ?? []),
    );
    if (problem !== undefined) throw new Error(problem);
    this.reserve(pod);
    for (const [name] of this.needs(pod)) {
      for (;;) {
        const need = this.nextNeed(pod, name);
        if (need === undefined) break;
        await this.grant(pod, name, need, signal);
      }
    }
  }

  async prepare(pod: Pod, { name }: Container, signal: AbortSignal): Promise<DeviceEdits> {
    const granted = Object.entries(this.pods.get(uidOf(pod))?.granted[name] ?? {});
    if (granted.length === 0) return NO_EDITS;
    for (const [resource, { ids }] of granted)
      await this.sources.get(resource)?.preStart(ids, signal);
    const { specs } = this.deps;
    return mergeEdits(
      granted.flatMap(([, { grant }]) => [
        editsOf(grant),
        ...specs.editsOf(grant.cdiDevices.map((device) => device.name)),
      ]),
    );
  }

  release(podUid: string): void {
    this.deps.store.remove(podUid);
    this.pods.delete(podUid);
  }

  podUids(): readonly string[] {
    return [...this.pods.keys()];
  }

  private async grant(
    pod: Pod,
    resource: string,
    need: NonNullable<ReturnType<typeof nextNeed>>,
    signal: AbortSignal,
  ): Promise<void> {
    const uid = uidOf(pod);
    const source = this.sources.get(resource);
    if (source === undefined) throw new Error(`cannot allocate unregistered device ${resource}`);
    const { mustInclude, count } = need;
    const available = this.available(pod, resource, need);
    const preferred = await source.prefer({ available, mustInclude, count }, signal);
    // Others may have been let in meanwhile: what is kept for this pod is there in any case.
    const ids = chooseDevices(need, this.available(pod, resource, need), preferred);
    const { reserved, granted } = this.pods.get(uid) ?? NOTHING;
    const given = Object.values(granted).flatMap((each) => each[resource]?.ids ?? []);
    const kept = stillReserved(reserved[resource] ?? [], given, ids);
    this.keep(uid, { reserved: { ...reserved, [resource]: kept }, granted });
    const grant = await source.allocate(ids, signal);
    const now = this.pods.get(uid);
    if (now === undefined) throw new Error('the pod is gone');
    const own = { ...now.granted[need.container], [resource]: { ids: [...ids], grant } };
    this.keep(uid, { ...now, granted: { ...now.granted, [need.container]: own } });
  }

  /** Kept for the pod or for nobody, those first that are kept for it. */
  private available(
    pod: Pod,
    resource: string,
    { inUse }: { readonly inUse: readonly string[] },
  ): readonly string[] {
    const own = this.pods.get(uidOf(pod))?.reserved[resource] ?? [];
    return [...new Set([...own, ...this.free(pod, resource)])].filter((id) => !inUse.includes(id));
  }

  private nextNeed(pod: Pod, resource: string) {
    const granted = this.pods.get(uidOf(pod))?.granted ?? {};
    return nextNeed(
      pod,
      resource,
      (name): GrantedIds['ids'] | undefined => granted[name]?.[resource]?.ids,
    );
  }

  /** Resources that this node counts as devices, and how many of each the pod asks for. */
  private needs(pod: Pod): readonly (readonly [string, number])[] {
    return Object.entries(requestsOf(pod.spec).others).filter(
      ([name, count]) => count > 0 && isExtendedResource(name) && this.isKnown(name),
    );
  }

  private problemOf(pod: Pod, resource: string, count: number): string | undefined {
    const devices = this.sources.get(resource)?.devices();
    if (devices === undefined) return `cannot allocate unregistered device ${resource}`;
    if (![...devices.values()].some(Boolean))
      return `no healthy devices present; cannot allocate unhealthy devices ${resource}`;
    const { length } = this.free(pod, resource);
    return length >= count
      ? undefined
      : `requested number of devices unavailable for ${resource}. Requested: ${count}, Available: ${length}`;
  }

  /** Healthy ones that no other pod has. */
  private free(pod: Pod, resource: string): readonly string[] {
    const { hasGivenUp } = this.deps;
    const taken = new Set(
      [...this.pods]
        .filter(([uid]) => uid !== uidOf(pod) && !hasGivenUp(uid))
        .flatMap(([, { reserved }]) => reserved[resource] ?? []),
    );
    const devices = this.sources.get(resource)?.devices() ?? NO_IDS;
    return [...devices].flatMap(([id, isHealthy]) => (isHealthy && !taken.has(id) ? [id] : []));
  }

  private keep(uid: string, devices: PodDevices): void {
    this.deps.store.write(uid, devices);
    this.pods.set(uid, devices);
  }

  private names(): readonly string[] {
    return [...new Set([...this.sources.keys(), ...this.missingSinceMs.keys()])];
  }

  private isKnown(resource: string): boolean {
    return this.sources.has(resource) || this.missingSinceMs.has(resource);
  }

  /** A plugin that ended has some time to come again before its resource is forgotten. */
  private isForgotten(resource: string): boolean {
    const { clock, store } = this.deps;
    if (this.sources.get(resource)?.isGone === false) {
      this.missingSinceMs.delete(resource);
      return false;
    }
    const sinceMs = this.missingSinceMs.get(resource) ?? clock.monotonicMs();
    this.missingSinceMs.set(resource, sinceMs);
    if (clock.monotonicMs() - sinceMs < ABSENCE_MAX_MS) return false;
    this.sources.delete(resource);
    this.missingSinceMs.delete(resource);
    store.writeNames(this.names());
    return true;
  }
}

const editsOf = ({ envs, mounts, devices }: Grant): DeviceEdits => ({
  ...NO_EDITS,
  env: envs,
  mounts: mounts.map(({ containerPath, hostPath, readOnly }) => ({
    ...{ containerPath, hostPath },
    isReadOnly: readOnly,
  })),
  devices: devices.map(({ containerPath, hostPath, permissions }) => ({
    path: containerPath,
    hostPath,
    access: permissions,
  })),
});

export const UNEXPECTED = 'UnexpectedAdmissionError';
export const unexpectedMessage = (problem: string): string =>
  `Pod was rejected: Allocate failed due to ${problem}, which is unexpected`;

/** Upstream's endpointStopGracePeriod. */
const ABSENCE_MAX_MS = 300_000;
const NO_IDS: ReadonlyMap<string, boolean> = new Map();
const NOTHING: PodDevices = { reserved: {}, granted: {} };
