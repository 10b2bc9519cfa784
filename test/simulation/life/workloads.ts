import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  NAMESPACES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  REPLICA_SETS,
  RESOURCE_QUOTAS,
  STATEFUL_SETS,
  STORAGE_CLASSES,
  type Resource,
} from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { World } from '../world';

/* What people run on the day: one workload of each kind, small enough for three of four nodes. */

export const SHOP = 'shop';
/** How namespaces are called that somebody makes beside the shop. */
export const ANNEX = 'annex-';
/** Is it a namespace that people made? */
export const isOfPeople = (name = ''): boolean => name === SHOP || name.startsWith(ANNEX);
export const BUDGET_UNAVAILABLE = 1;
export const WEB_REPLICAS = 4;
/** Pods, the ones that end not counted; more than all workloads together want. */
export const QUOTA_PODS = 50;

export const place = (name: string) => ({ namespace: SHOP, name });

export const containersOf = (version: number) => [
  {
    name: 'main',
    image: `app:${version}`,
    resources: { requests: { cpu: '50m', memory: '8Mi' } },
  },
];

const templateOf = (app: string, version: number, more: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: containersOf(version), terminationGracePeriodSeconds: 5, ...more },
});

const selecting = (app: string) => ({ selector: { matchLabels: { app } } });

export interface Workload {
  readonly resource: Resource;
  /** The object as it is made, and made again. */
  readonly draft: DraftOf<ApiObject> & { readonly spec: object };
}

const workload = (resource: Resource, name: string, spec: object): Workload => ({
  resource,
  draft: {
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    metadata: place(name),
    spec,
  },
});

/** What differs from day to day. */
export interface Shape {
  readonly hasAgents: boolean;
  readonly isOrdered: boolean;
  readonly daemonSurges: boolean;
  readonly keepsClaims: boolean;
}

/** In the order in which they are made. */
export const workloadsOf = (shape: Shape): Readonly<Record<string, Workload>> => {
  const claim = (accessModes: readonly string[]) => ({
    accessModes,
    resources: { requests: { storage: '1Gi' } },
    storageClassName: 'box',
  });
  const retention = shape.keepsClaims ? 'Retain' : 'Delete';
  const onlyOne = { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'only-one' } }] };
  return {
    web: workload(DEPLOYMENTS, 'web', {
      ...{ replicas: WEB_REPLICAS, ...selecting('web'), template: templateOf('web', 1) },
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
    }),
    auto: workload(DEPLOYMENTS, 'auto', {
      ...{ replicas: 1, ...selecting('auto'), template: templateOf('auto', 1) },
      strategy: { rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } },
    }),
    solo: workload(DEPLOYMENTS, 'solo', {
      ...{ replicas: 1, ...selecting('solo'), template: templateOf('solo', 1, onlyOne) },
      strategy: { type: 'Recreate' },
    }),
    plain: workload(REPLICA_SETS, 'plain', {
      ...{ replicas: 2, ...selecting('plain'), template: templateOf('plain', 1) },
    }),
    db: workload(STATEFUL_SETS, 'db', {
      ...{ replicas: 2, serviceName: 'db', ...selecting('db'), template: templateOf('db', 1) },
      podManagementPolicy: shape.isOrdered ? 'OrderedReady' : 'Parallel',
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim(['ReadWriteOnce']) }],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: retention, whenScaled: retention },
    }),
    agent: workload(DAEMON_SETS, 'agent', {
      ...{ ...selecting('agent'), template: templateOf('agent', 1) },
      ...(shape.daemonSurges
        ? { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }
        : {}),
    }),
    forbid: workload(CRON_JOBS, 'forbid', cronOf('*/20 * * * *', 'Forbid')),
    replace: workload(CRON_JOBS, 'replace', cronOf('*/30 * * * *', 'Replace')),
    local: workload(CRON_JOBS, 'local', {
      ...cronOf('30 * * * *', 'Allow'),
      timeZone: 'America/New_York',
    }),
    budget: workload(POD_DISRUPTION_BUDGETS, 'budget', {
      ...{ maxUnavailable: BUDGET_UNAVAILABLE, ...selecting('web') },
    }),
    scaler: workload(HORIZONTAL_POD_AUTOSCALERS, 'scaler', {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'auto' },
      ...{ minReplicas: 1, maxReplicas: 4 },
    }),
    quota: workload(RESOURCE_QUOTAS, 'quota', { hard: { pods: String(QUOTA_PODS) } }),
    claim: workload(PERSISTENT_VOLUME_CLAIMS, 'only-one', claim(['ReadWriteOncePod'])),
  };
};

const cronOf = (schedule: string, concurrencyPolicy: string) => ({
  ...{ schedule, concurrencyPolicy, successfulJobsHistoryLimit: 2 },
  jobTemplate: {
    spec: { template: templateOf('cron', 1, { restartPolicy: 'Never' }), backoffLimit: 1000 },
  },
});

export const jobOf = (name: string, spec: object) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: place(name),
  spec: {
    ...{ backoffLimit: 1000, template: templateOf('job', 1, { restartPolicy: 'Never' }) },
    ...spec,
  },
});

/** All that is there before the first user comes. */
export const openShop = async ({ client }: World, shape: Shape): Promise<void> => {
  await client.create(NAMESPACES, {
    ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SHOP } },
  });
  await client.create(STORAGE_CLASSES, {
    ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'box' } },
    provisioner: shape.hasAgents ? 'dhow.dev/local-path' : 'kubernetes.io/no-provisioner',
    volumeBindingMode: shape.hasAgents ? 'WaitForFirstConsumer' : 'Immediate',
  });
  if (!shape.hasAgents)
    for (let index = 0; index < 16; index++)
      await client.create(PERSISTENT_VOLUMES, {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `volume-${index}` },
        spec: {
          capacity: { storage: '1Gi' },
          // Whichever the claim wants: a volume is kept for its claim, and there are enough.
          accessModes: index % 4 === 0 ? ['ReadWriteOncePod'] : ['ReadWriteOnce'],
          hostPath: { path: '/srv' },
          storageClassName: 'box',
        },
      });
  for (const { resource, draft } of Object.values(workloadsOf(shape)))
    await client.create(resource, draft);
};
