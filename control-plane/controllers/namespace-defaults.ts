import { hasReason } from '../../api/errors';
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from '../../api/resources';
import type { ConfigMap, Namespace, ServiceAccount } from '../../api/types';
import type { DraftOf } from '../../client/api-client';
import { WorkQueue } from '../../client/work-queue';
import { TaskGroup } from '../../lib/async/task-group';
import { subject, Subscriptions, type Controller, type ControllerDeps } from './controller';

/** Gives every namespace what pods expect there: the `default` service account and the CA bundle. */
export class NamespaceDefaultsController implements Controller {
  readonly name = 'namespace-defaults';
  private readonly queue: WorkQueue;

  constructor(
    private readonly deps: ControllerDeps,
    /** Of all authorities that are trusted now. */
    private readonly caCertificate: () => string,
  ) {
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (name) => subject(NAMESPACES, deps.informers.of(NAMESPACES).get(name)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const { informers } = this.deps;
    const namespaces = informers.of(NAMESPACES);
    const enqueue = (namespace = '') => this.queue.add(namespace);
    const onAdd = ({ metadata }: Namespace) => enqueue(metadata.name);
    subscriptions.add(namespaces.subscribe({ name, onAdd }));
    const onDelete = ({ metadata }: ServiceAccount) => enqueue(metadata.namespace);
    subscriptions.add(informers.of(SERVICE_ACCOUNTS).subscribe({ name, onDelete }));
    subscriptions.add(
      informers.of(CONFIG_MAPS).subscribe({
        name,
        onDelete: ({ metadata }) => enqueue(metadata.namespace),
        onUpdate: ({ metadata }) => {
          if (metadata.name === ROOT_CA) enqueue(metadata.namespace);
        },
      }),
    );
    await informers.whenSynced();
    await using tasks = new TaskGroup(signal);
    tasks.run((each) => this.watchAuthorities(() => [...namespaces.list()].forEach(onAdd), each));
    tasks.run((each) =>
      this.queue.run(
        (key, workSignal) => this.reconcile(namespaces.get(key), workSignal),
        WORKERS,
        each,
      ),
    );
    await tasks.wait();
  }

  /** While the authority is being replaced there are two. */
  private async watchAuthorities(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    for (let known = this.caCertificate(); !signal.aborted;) {
      await clock.sleep(LOOK_MS, signal);
      const current = this.caCertificate();
      if (current === known) continue;
      known = current;
      onChange();
    }
  }

  private async reconcile(namespace: Namespace | undefined, signal: AbortSignal): Promise<void> {
    if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return;
    const { name } = namespace.metadata;
    const { client, informers } = this.deps;
    if (informers.of(SERVICE_ACCOUNTS).get(`${name}/default`) === undefined) {
      await ignoringExisting(client.create(SERVICE_ACCOUNTS, defaultAccount(name), {}, signal));
    }
    const bundle = informers.of(CONFIG_MAPS).get(`${name}/${ROOT_CA}`);
    if (bundle === undefined) {
      await ignoringExisting(client.create(CONFIG_MAPS, this.bundle(name), {}, signal));
    } else if (bundle.data?.['ca.crt'] !== this.caCertificate()) {
      await client.update(
        CONFIG_MAPS,
        { ...bundle, data: this.bundle(name).data ?? {} },
        {},
        signal,
      );
    }
  }

  private bundle(namespace: string): DraftOf<ConfigMap> {
    const description =
      'Contains a CA bundle that can be used to verify the kube-apiserver when using internal ' +
      'endpoints such as the internal service IP or kubernetes.default.svc. No other usage is ' +
      'guaranteed across distributions of Kubernetes clusters.';
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: ROOT_CA,
        namespace,
        annotations: { 'kubernetes.io/description': description },
      },
      data: { 'ca.crt': this.caCertificate() },
    };
  }
}

const defaultAccount = (namespace: string): DraftOf<ServiceAccount> => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default', namespace },
});

const ignoringExisting = async (creation: Promise<unknown>): Promise<void> => {
  try {
    await creation;
  } catch (error) {
    // Somebody was faster, or the namespace has gone meanwhile.
    if (!hasReason(error, 'AlreadyExists', 'NotFound', 'Forbidden')) throw error;
  }
};

const ROOT_CA = 'kube-root-ca.crt';
const WORKERS = 2;
const LOOK_MS = 10_000;
