// The client's classes are for its own serializer: to who calls it, objects are plain data.
/* eslint-disable @typescript-eslint/no-unsafe-class-instance-assignment */
/* eslint-disable @typescript-eslint/no-misused-spread */
import {
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  V1MicroTime,
  type KubernetesListObject,
  type KubernetesObject,
  type V1Lease,
} from '@kubernetes/client-node';

/*
 * An operator as others write them, with the official client alone: `node site-operator.js NAME` with
 * KUBECONFIG keeps a ConfigMap and a Deployment for every Site while it holds the lease of its kind.
 */

interface Site extends KubernetesObject {
  readonly spec: {
    readonly title: string;
    readonly replicas: number;
    readonly pages?: readonly { readonly name: string; readonly text?: string }[];
  };
}

const NAMESPACE = 'sites';
const MANAGER = 'site-operator';
const PATH = `/apis/web.example.com/v1/namespaces/${NAMESPACE}/sites`;
const LABEL = 'web.example.com/site';
const LEASE_MS = 3000;
const identity = process.argv[2] ?? MANAGER;

const config = new KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(CoreV1Api);
const coordination = config.makeApiClient(CoordinationV1Api);
const custom = config.makeApiClient(CustomObjectsApi);
const objects = KubernetesObjectApi.makeApiClient(config);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Server-side apply, whoever else owns what. */
const apply = <T extends KubernetesObject>(object: T): Promise<T> =>
  objects.patch(object, undefined, undefined, MANAGER, true, PatchStrategy.ServerSideApply);

const childOf = (site: Site, apiVersion: string, kind: string): KubernetesObject => ({
  apiVersion,
  kind,
  metadata: {
    name: site.metadata!.name!,
    namespace: NAMESPACE,
    labels: { [LABEL]: site.metadata!.name! },
    ownerReferences: [
      {
        apiVersion: 'web.example.com/v1',
        kind: 'Site',
        name: site.metadata!.name!,
        uid: site.metadata!.uid!,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
});

const configMapOf = (site: Site): KubernetesObject => ({
  ...childOf(site, 'v1', 'ConfigMap'),
  ...{
    data: Object.fromEntries(
      (site.spec.pages ?? []).map(({ name, text }) => [name, text ?? site.spec.title]),
    ),
  },
});

const deploymentOf = (site: Site): KubernetesObject => {
  const labels = { [LABEL]: site.metadata!.name! };
  const container = { name: 'web', image: 'registry.example.com/web' };
  const spec = { containers: [container] };
  return {
    ...childOf(site, 'apps/v1', 'Deployment'),
    ...{
      spec: {
        replicas: site.spec.replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec },
      },
    },
  };
};

const reconcile = async (site: Site): Promise<void> => {
  if (site.metadata!.deletionTimestamp !== undefined) return;
  await apply(configMapOf(site));
  await apply(deploymentOf(site));
  const { name, generation } = site.metadata!;
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Applied',
    message: `by ${identity}`,
    lastTransitionTime: site.metadata!.creationTimestamp,
  };
  const status = { observedGeneration: generation, conditions: [ready] };
  await custom.patchNamespacedCustomObjectStatus(
    {
      ...{ group: 'web.example.com', version: 'v1', namespace: NAMESPACE, plural: 'sites' },
      name: name!,
      body: { apiVersion: 'web.example.com/v1', kind: 'Site', metadata: { name }, status },
      fieldManager: MANAGER,
      force: true,
    },
    applying,
  );
};

// The generated methods send a JSON patch unless they are told another type.
const applying = setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply);

const main = async (): Promise<void> => {
  await lead();
  process.stdout.write(`${identity} leads\n`);
  const sites = makeInformer<Site>(
    config,
    PATH,
    async () =>
      (await custom.listNamespacedCustomObject({
        ...{ group: 'web.example.com', version: 'v1', namespace: NAMESPACE, plural: 'sites' },
      })) as KubernetesListObject<Site>,
  );
  const children = makeInformer(
    config,
    `/api/v1/namespaces/${NAMESPACE}/configmaps`,
    () => core.listNamespacedConfigMap({ namespace: NAMESPACE, labelSelector: LABEL }),
    LABEL,
  );
  const queue = new Set<string>();
  sites.on('change', ({ metadata }) => queue.add(metadata!.name!));
  children.on('change', ({ metadata }) => queue.add(metadata!.labels![LABEL]!));
  for (const informer of [sites, children]) {
    informer.on('error', (error) => {
      process.stderr.write(`watch: ${String(error)}\n`);
      setTimeout(() => void informer.start(), 200);
    });
    await informer.start();
  }
  for (;;) {
    for (const name of queue) {
      queue.delete(name);
      const site = sites.get(name, NAMESPACE);
      if (site !== undefined) await reconcile(site);
    }
    await pause(20);
  }
};

/** Returns once the lease is held; renews it from then on, and ends the process if that fails. */
const lead = async (): Promise<void> => {
  for (;;) {
    const held = await acquire();
    if (held !== undefined) {
      void renew(held);
      return;
    }
    await pause(200);
  }
};

const acquire = async (): Promise<V1Lease | undefined> => {
  const named = { namespace: NAMESPACE, name: MANAGER };
  try {
    const lease = await coordination.readNamespacedLease(named);
    // The client leaves a MicroTime the text that came, whatever its types say.
    const renewMs = Date.parse(String(lease.spec?.renewTime ?? ''));
    if (Date.now() - renewMs < LEASE_MS) return undefined;
    return await coordination.replaceNamespacedLease({ ...named, body: heldFrom(lease) });
  } catch (error) {
    const { code } = error as { readonly code?: number };
    if (code === 409) return undefined;
    if (code !== 404) throw error;
    const body = heldFrom({ metadata: named });
    return await coordination
      .createNamespacedLease({ namespace: NAMESPACE, body })
      .catch(() => undefined);
  }
};

const heldFrom = (lease: V1Lease): V1Lease => ({
  ...lease,
  spec: {
    holderIdentity: identity,
    leaseDurationSeconds: LEASE_MS / 1000,
    leaseTransitions: (lease.spec?.leaseTransitions ?? -1) + 1,
    acquireTime: new V1MicroTime(),
    renewTime: new V1MicroTime(),
  },
});

const renew = async (acquired: V1Lease): Promise<void> => {
  let held = acquired;
  for (;;) {
    await pause(LEASE_MS / 3);
    try {
      held = await coordination.replaceNamespacedLease({
        ...{ namespace: NAMESPACE, name: MANAGER },
        body: { ...held, spec: { ...held.spec, renewTime: new V1MicroTime() } },
      });
    } catch (error) {
      process.stderr.write(`${identity} leads no longer: ${String(error)}\n`);
      process.exit(1);
    }
  }
};

void main();
