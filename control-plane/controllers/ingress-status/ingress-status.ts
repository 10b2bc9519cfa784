import { isServedIngress, secretKeysOf } from '../../../api/ingresses';
import { jsonEqual } from '../../../api/json-value';
import { INGRESS_CLASSES, INGRESSES, NODES, SECRETS, SERVICES } from '../../../api/resources';
import {
  keyOf,
  uidOf,
  type Ingress,
  type IngressClass,
  type Node,
  type Secret,
  type Service,
} from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { LastWords } from '../last-words';
import { apparentOf } from '../outer-addresses';
import { ingressAddresses, namesService, unservedBackends, unshownCertificates } from './plan';

/**
 * Says of the ingresses that the nodes serve at which addresses they are reached, which of their backends
 * nobody serves, and which of their certificates nobody is shown. Those of other classes are left to whoever serves those.
 */
export class IngressStatusController implements Controller {
  readonly name = 'ingress-status';
  private readonly queue: WorkQueue;
  private readonly ingresses: Informer<Ingress>;
  private readonly classes: Informer<IngressClass>;
  private readonly services: Informer<Service>;
  private readonly nodes: Informer<Node>;
  private readonly secrets: Informer<Secret>;
  /** Which of their backends are not served. */
  private readonly told = new LastWords();
  /** Which of their certificates are not shown. */
  private readonly toldUnshown = new LastWords();

  constructor(private readonly deps: ControllerDeps) {
    this.ingresses = deps.informers.of(INGRESSES);
    this.classes = deps.informers.of(INGRESS_CLASSES);
    this.services = deps.informers.of(SERVICES);
    this.nodes = deps.informers.of(NODES);
    this.secrets = deps.informers.of(SECRETS);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(INGRESSES, this.ingresses.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (ingress: Ingress) => this.queue.add(keyOf(ingress));
    const enqueueAll = () => {
      for (const ingress of this.ingresses.list()) enqueue(ingress);
    };
    const enqueueOf = ({ metadata }: Service) => {
      for (const ingress of this.ingresses.list())
        if (
          ingress.metadata.namespace === metadata.namespace &&
          namesService(ingress, metadata.name)
        )
          enqueue(ingress);
    };
    const enqueueIfName = (service: Service) => {
      if (service.spec?.type === 'ExternalName') enqueueOf(service);
    };
    subscriptions.add(
      this.ingresses.subscribe({
        ...{ name, onAdd: enqueue, onUpdate: enqueue },
        onDelete: (ingress) => {
          this.told.forget(uidOf(ingress));
          this.toldUnshown.forget(uidOf(ingress));
        },
      }),
    );
    subscriptions.add(
      this.classes.subscribe({
        ...{ name, onAdd: enqueueAll, onUpdate: enqueueAll, onDelete: enqueueAll },
      }),
    );
    subscriptions.add(
      this.services.subscribe({
        // Only an ExternalName is told of: whether any other Service is there changes nothing.
        ...{ name, onAdd: enqueueIfName, onDelete: enqueueIfName },
        onUpdate: (service, previous) => {
          if (service.spec?.type !== previous.spec?.type) enqueueOf(service);
        },
      }),
    );
    subscriptions.add(
      this.nodes.subscribe({
        ...{ name, onAdd: enqueueAll, onDelete: enqueueAll },
        onUpdate: (node, previous) => {
          if (!jsonEqual(apparentOf(node), apparentOf(previous))) enqueueAll();
        },
      }),
    );
    const enqueueThatShow = (secret: Secret) => {
      for (const ingress of this.ingresses.list())
        if (secretKeysOf(ingress).includes(keyOf(secret))) enqueue(ingress);
    };
    subscriptions.add(
      this.secrets.subscribe({
        ...{ name, onAdd: enqueueThatShow, onDelete: enqueueThatShow },
        onUpdate: (secret, previous) => {
          if (!jsonEqual(secret.data, previous.data)) enqueueThatShow(secret);
        },
      }),
    );
    const needed = [this.ingresses, this.classes, this.services, this.nodes, this.secrets];
    await Promise.all(needed.map((informer) => informer.whenSynced()));
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const ingress = this.ingresses.get(key);
    if (ingress === undefined || ingress.metadata.deletionTimestamp !== undefined) return;
    if (!isServedIngress(ingress, (name) => this.classes.get(name))) return;
    this.tellUnserved(ingress);
    this.tellUnshown(ingress);
    const points = ingressAddresses([...this.nodes.list()]).map((ip) => ({ ip }));
    if (jsonEqual(ingress.status?.loadBalancer?.ingress ?? [], points)) return;
    const loadBalancer = points.length === 0 ? {} : { ingress: points };
    const changed = { ...ingress, status: { ...ingress.status, loadBalancer } };
    const { client } = this.deps;
    const written = await client.update(INGRESSES, changed, { subresource: 'status' }, signal);
    this.ingresses.noteWritten(written);
  }

  /** Once for the same words. */
  private tellUnserved(ingress: Ingress): void {
    const unserved = unservedBackends(ingress, (key) => this.services.get(key));
    const words = unserved.length === 0 ? undefined : unserved.join(', ');
    if (!this.told.areNew(uidOf(ingress), words)) return;
    const message = `Answered with 503, for nodes cannot serve it: ${words}`;
    this.deps.events.event(INGRESSES, ingress, 'Warning', 'BackendNotServed', message);
  }

  private tellUnshown(ingress: Ingress): void {
    const unshown = unshownCertificates(ingress, (key) => this.secrets.get(key));
    const words = unshown.length === 0 ? undefined : unshown.join(', ');
    if (!this.toldUnshown.areNew(uidOf(ingress), words)) return;
    const message = `Nodes show a certificate of their own instead: ${words}`;
    this.deps.events.event(INGRESSES, ingress, 'Warning', 'CertificateNotShown', message);
  }
}

const WORKERS = 2;
