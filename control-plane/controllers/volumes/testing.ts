import {
  keyOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../../api/types';
import { CLAIM_PROTECTION, VOLUME_PROTECTION } from '../../../api/volumes';
import { planClaim } from './plan-claim';
import { planVolume } from './plan-volume';
import type { Step, Told, VolumeWorld } from './step';

/** Fixtures for this folder's tests: objects as the API makes them, and a store of them. */

export const testVolume = (name: string, spec: object = {}): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, uid: `uid-${name}`, finalizers: [VOLUME_PROTECTION] },
  spec: {
    ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'disk' },
    ...{ volumeMode: 'Filesystem', persistentVolumeReclaimPolicy: 'Retain' },
    hostPath: { path: '/srv' },
    ...spec,
  },
  status: { phase: 'Pending' },
});

export const testClaim = (name: string, spec: object = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'ns', uid: `uid-${name}`, finalizers: [CLAIM_PROTECTION] },
  spec: {
    ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'disk', volumeMode: 'Filesystem' },
    resources: { requests: { storage: '1Gi' } },
    ...spec,
  },
  status: { phase: 'Pending' },
});

export const testClass = (name: string, more: object = {}): StorageClass => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name },
  provisioner: 'example.com/disk',
  volumeBindingMode: 'Immediate',
  reclaimPolicy: 'Delete',
  ...more,
});

/** What is stored, and what was told; each write replaces a whole object, as the API's do. */
export class TestWorld implements VolumeWorld {
  readonly claims = new Map<string, PersistentVolumeClaim>();
  readonly byName = new Map<string, PersistentVolume>();
  readonly classes = new Map<string, StorageClass>();
  readonly used = new Set<string>();
  readonly waiting = new Map<string, string>();
  readonly told: Told[] = [];

  claim = (key: string) => this.claims.get(key);
  volume = (name: string) => this.byName.get(name);
  volumes = () => this.byName.values();
  storageClass = (name: string) => this.classes.get(name);
  waitingPod = (key: string) => this.waiting.get(key);
  isUsed = (key: string) => this.used.has(key);

  put(...objects: readonly (PersistentVolume | PersistentVolumeClaim)[]): this {
    for (const object of objects) this.write(object);
    return this;
  }

  get keys(): readonly string[] {
    return [...this.claims.keys(), ...this.byName.keys()];
  }

  /** The next step for the object; nothing when it is gone. Carries it out. */
  step(key: string): boolean {
    const claim = this.claims.get(key);
    const volume = this.byName.get(key);
    if (claim !== undefined) return this.carryOut(planClaim(claim, this));
    return volume !== undefined && this.carryOut(planVolume(volume, this));
  }

  /** Until nothing is left to be written. @throws Error when that does not come */
  settle(): this {
    for (let round = 0; round < 100; round++)
      if (!this.keys.map((key) => this.step(key)).includes(true)) return this;
    throw new Error('it never comes to rest');
  }

  private carryOut(step: Step): boolean {
    if (step.tell !== undefined) this.told.push(step.tell);
    if (step.kind === 'none') return false;
    this.write(step.object);
    return true;
  }

  private write(object: PersistentVolume | PersistentVolumeClaim): void {
    const table: Map<string, unknown> =
      object.kind === 'PersistentVolume' ? this.byName : this.claims;
    const { deletionTimestamp, finalizers = [] } = object.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0) table.delete(keyOf(object));
    else table.set(keyOf(object), object);
  }
}
