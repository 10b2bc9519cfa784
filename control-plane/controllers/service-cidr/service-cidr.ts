import { jsonEqual } from '../../../api/json-value';
import { apiVersionOf, SERVICE_CIDRS, SERVICES } from '../../../api/resources';
import { OWN_RANGES } from '../../../api/service-cidrs';
import { keyOf, uidOf, type Service, type ServiceCidr } from '../../../api/types';
import type { DraftOf } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import { rfc3339 } from '../../../lib/clock';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { LastWords } from '../last-words';
import { planServiceCidr, withBothFamilies, type Step } from './plan';

/**
 * Keeps the ServiceCIDR of the server's own ranges, says of each whether it is ready, and lets one go
 * only when no service has an address that would be in no range then.
 */
export class ServiceCidrController implements Controller {
  readonly name = 'service-cidr';
  private readonly queue: WorkQueue;
  private readonly objects: Informer<ServiceCidr>;
  private readonly services: Informer<Service>;
  private readonly told = new LastWords();

  /** @param configured The ranges of the server's options; none: nobody makes an object of them. */
  constructor(
    private readonly deps: ControllerDeps,
    private readonly configured: readonly string[],
  ) {
    this.objects = deps.informers.of(SERVICE_CIDRS);
    this.services = deps.informers.of(SERVICES);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(SERVICE_CIDRS, this.objects.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    // What one is depends on whether others cover it.
    const enqueueAll = () => {
      for (const object of this.objects.list()) this.queue.add(keyOf(object));
      if (this.configured.length > 0) this.queue.add(OWN_RANGES);
    };
    const enqueueLeaving = () => {
      for (const object of this.objects.list())
        if (object.metadata.deletionTimestamp !== undefined) this.queue.add(keyOf(object));
    };
    subscriptions.add(
      this.objects.subscribe({
        ...{ name, onAdd: enqueueAll, onUpdate: enqueueAll },
        onDelete: (object) => {
          this.told.forget(uidOf(object));
          enqueueAll();
        },
      }),
    );
    subscriptions.add(
      this.services.subscribe({
        ...{ name, onAdd: enqueueLeaving, onDelete: enqueueLeaving },
        onUpdate: (service, previous) => {
          if (!jsonEqual(service.spec?.clusterIPs, previous.spec?.clusterIPs)) enqueueLeaving();
        },
      }),
    );
    await Promise.all([this.objects.whenSynced(), this.services.whenSynced()]);
    enqueueAll();
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const object = this.objects.get(key);
    if (object === undefined) {
      if (key === OWN_RANGES && this.configured.length > 0) await this.makeOwn(signal);
      return;
    }
    if (key === OWN_RANGES && (await this.keepOwn(object, signal))) return;
    const step = this.plan(object, addressesOf(this.services.list()));
    if (step?.kind === 'wait') this.queue.addAfter(key, step.ms);
    else if (step !== undefined) await this.carryOut(step, object, signal);
  }

  private plan(object: ServiceCidr, addresses: Iterable<string>): Step | undefined {
    const ms = this.deps.clock.now();
    const now = { text: rfc3339(ms), ms };
    return planServiceCidr(object, [...this.objects.list()], addresses, now);
  }

  private async carryOut(
    step: Exclude<Step, { readonly kind: 'wait' }>,
    object: ServiceCidr,
    signal: AbortSignal,
  ): Promise<void> {
    const { client } = this.deps;
    if (step.kind === 'release') {
      // The informer may be behind: what would be let go of is asked for once more.
      const { items } = await client.list(SERVICES, {}, signal);
      const again = this.plan(object, addressesOf(items));
      if (again?.kind === 'write') return this.carryOut(again, object, signal);
    }
    const isStatus = step.kind === 'write' && step.isStatus;
    const options = isStatus ? ({ subresource: 'status' } as const) : {};
    this.objects.noteWritten(await client.update(SERVICE_CIDRS, step.object, options, signal));
  }

  private async makeOwn(signal: AbortSignal): Promise<void> {
    const draft: DraftOf<ServiceCidr> = {
      apiVersion: apiVersionOf(SERVICE_CIDRS),
      kind: 'ServiceCIDR',
      metadata: { name: OWN_RANGES },
      spec: { cidrs: [...this.configured] },
    };
    this.objects.noteWritten(await this.deps.client.create(SERVICE_CIDRS, draft, {}, signal));
  }

  /** Returns whether it has written something. */
  private async keepOwn(own: ServiceCidr, signal: AbortSignal): Promise<boolean> {
    if (this.configured.length === 0 || own.metadata.deletionTimestamp !== undefined) return false;
    const wanted = withBothFamilies(own, this.configured);
    if (wanted !== own) {
      const { client } = this.deps;
      this.objects.noteWritten(await client.update(SERVICE_CIDRS, wanted, {}, signal));
      return true;
    }
    this.tellDifference(own);
    return false;
  }

  private tellDifference(own: ServiceCidr): void {
    const [stored, configured] = [own.spec?.cidrs ?? [], this.configured].map((each) =>
      each.join(' '),
    );
    const words =
      stored === configured
        ? undefined
        : `The default ServiceCIDR [${stored}] does not match the controller flag configurations [${configured}]`;
    if (!this.told.areNew(uidOf(own), words)) return;
    const reason = 'KubernetesDefaultServiceCIDRInconsistent';
    this.deps.events.event(SERVICE_CIDRS, own, 'Warning', reason, words);
  }
}

function* addressesOf(services: Iterable<Service>): Iterable<string> {
  for (const { spec } of services)
    if (spec?.type !== 'ExternalName') yield* spec?.clusterIPs ?? [spec?.clusterIP ?? ''];
}

const WORKERS = 1;
