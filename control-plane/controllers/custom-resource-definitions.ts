import { hasReason } from '../../api/errors';
import { conditionOf, isTrue, withCondition } from '../../api/custom-resources/conditions';
import { CLEANUP_FINALIZER } from '../../api/custom-resources/definitions';
import { acceptNames, usedNames } from '../../api/custom-resources/naming';
import { jsonEqual } from '../../api/json-value';
import { CUSTOM_RESOURCE_DEFINITIONS, type Resource } from '../../api/resources';
import { nameOf, type CustomResourceDefinition } from '../../api/types';
import type { Informer } from '../../client/informer';
import type { ServedResources } from '../../client/served-resources';
import { WorkQueue } from '../../client/work-queue';
import { rfc3339 } from '../../lib/clock';
import { subject, Subscriptions, type Controller, type ControllerDeps } from './controller';

/**
 * Gives definitions their names, says that they are established when they are served, and deletes the
 * objects of those that are going before it lets go of them.
 */
export class CustomResourceDefinitionController implements Controller {
  readonly name = 'custom-resource-definitions';
  private readonly queue: WorkQueue;
  private readonly definitions: Informer<CustomResourceDefinition>;

  constructor(
    private readonly deps: ControllerDeps,
    private readonly served: ServedResources,
  ) {
    this.definitions = deps.informers.of(CUSTOM_RESOURCE_DEFINITIONS);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (name) => subject(CUSTOM_RESOURCE_DEFINITIONS, this.definitions.get(name)),
      backoff: { initialMs: 100, maxMs: 10_000 },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    using subscriptions = new Subscriptions();
    const add = ({ metadata }: CustomResourceDefinition) => this.queue.add(metadata.name);
    subscriptions.add(
      this.definitions.subscribe({
        name: this.name,
        onAdd: add,
        onUpdate: (definition, previous) => {
          add(definition);
          if (!jsonEqual(definition.status.acceptedNames, previous.status.acceptedNames))
            this.addOthersOf(definition);
        },
        onDelete: (definition) => this.addOthersOf(definition),
      }),
    );
    await this.definitions.whenSynced();
    // One at a time: of two that want a name, one has it when the other asks.
    await this.queue.run((key, workSignal) => this.reconcile(key, workSignal), 1, signal);
  }

  /** Names may have become free, or taken, for who has not all of their own. */
  private addOthersOf({ spec, metadata }: CustomResourceDefinition): void {
    for (const other of this.definitions.list()) {
      const isOther = other.spec.group === spec.group && other.metadata.name !== metadata.name;
      if (isOther && !isTrue(other, 'NamesAccepted')) this.queue.add(other.metadata.name);
    }
  }

  private async reconcile(name: string, signal: AbortSignal): Promise<void> {
    const definition = this.definitions.get(name);
    if (definition === undefined) return;
    if (definition.metadata.deletionTimestamp !== undefined) await this.empty(definition, signal);
    else if (!(await this.giveNames(definition, signal))) await this.establish(definition, signal);
  }

  /** Returns whether anything had to be written. */
  private async giveNames(
    definition: CustomResourceDefinition,
    signal: AbortSignal,
  ): Promise<boolean> {
    const now = rfc3339(this.deps.clock.now());
    const { names, condition } = acceptNames(definition, this.usedBeside(definition));
    const named = {
      ...definition,
      status: { ...withCondition(definition, condition, now), acceptedNames: names },
    };
    const isEstablished = isTrue(definition, 'Established');
    const next = isEstablished
      ? named.status
      : withCondition(named, waiting(condition.status), now);
    if (jsonEqual(next, definition.status)) return false;
    await this.write({ ...definition, status: next }, signal);
    return true;
  }

  private usedBeside({ spec, metadata }: CustomResourceDefinition) {
    const accepted = [...this.definitions.list()]
      .filter((other) => other.spec.group === spec.group && other.metadata.name !== metadata.name)
      .map(({ status }) => status.acceptedNames)
      .filter((names) => names !== undefined);
    const reserved = this.served
      .resources()
      .filter(({ group, definition }) => group === spec.group && definition === undefined);
    return usedNames(accepted, reserved);
  }

  private async establish(
    definition: CustomResourceDefinition,
    signal: AbortSignal,
  ): Promise<void> {
    const isReady = isTrue(definition, 'NamesAccepted') && !isTrue(definition, 'Established');
    if (!isReady) return;
    const hasVersion = definition.spec.versions.some(({ served }) => served);
    if (hasVersion && this.resourceOf(definition) === undefined) {
      this.queue.addAfter(definition.metadata.name, LOOK_AGAIN_MS);
      return;
    }
    const condition = {
      type: 'Established',
      status: 'True',
      reason: 'InitialNamesAccepted',
      message: 'the initial names have been accepted',
    };
    const now = rfc3339(this.deps.clock.now());
    await this.write({ ...definition, status: withCondition(definition, condition, now) }, signal);
  }

  private async empty(definition: CustomResourceDefinition, signal: AbortSignal): Promise<void> {
    const { metadata } = definition;
    if (metadata.finalizers?.includes(CLEANUP_FINALIZER) !== true) return;
    const resource = this.resourceOf(definition);
    const wasServed = isTrue(definition, 'Established') || isTrue(definition, 'NamesAccepted');
    if (!wasServed) return this.letGo(definition, signal);
    if (resource === undefined) {
      this.queue.addAfter(metadata.name, LOOK_AGAIN_MS);
      return;
    }
    if ((await this.deleteAll(resource, signal)) === 0) return this.letGo(definition, signal);
    if (conditionOf(definition, 'Terminating')?.reason !== EMPTYING.reason) {
      const now = rfc3339(this.deps.clock.now());
      await this.write({ ...definition, status: withCondition(definition, EMPTYING, now) }, signal);
    }
    // What holds its objects ends in its own time.
    this.queue.addAfter(metadata.name, RECHECK_MS);
  }

  /** Asks for the deletion of all objects; returns how many there still are. */
  private async deleteAll(resource: Resource, signal: AbortSignal): Promise<number> {
    const { client } = this.deps;
    const { items } = await client.list(resource, {}, signal);
    const pending = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const work = async () => {
      for (let object = pending.pop(); object !== undefined; object = pending.pop())
        await client.delete(resource, nameOf(object), {}, signal).catch((error: unknown) => {
          if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
        });
    };
    await Promise.all(Array.from({ length: DELETIONS_AT_A_TIME }, work));
    if (items.length === 0) return 0;
    return (await client.list(resource, {}, signal)).items.length;
  }

  private async letGo(definition: CustomResourceDefinition, signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion, finalizers = [] } = definition.metadata;
    const rest = finalizers.filter((name) => name !== CLEANUP_FINALIZER);
    const body = { metadata: { uid, resourceVersion, finalizers: rest } };
    const { client } = this.deps;
    await ignoringRaces(
      client.patch(CUSTOM_RESOURCE_DEFINITIONS, nameOf(definition), 'merge', body, {}, signal),
    );
  }

  private resourceOf({ spec, status }: CustomResourceDefinition): Resource | undefined {
    const plural = status.acceptedNames?.plural ?? '';
    return this.served
      .resources()
      .find((each) => each.group === spec.group && each.plural === plural);
  }

  private async write(definition: CustomResourceDefinition, signal: AbortSignal): Promise<void> {
    const options = { subresource: 'status' } as const;
    const { client } = this.deps;
    await ignoringRaces(client.update(CUSTOM_RESOURCE_DEFINITIONS, definition, options, signal));
  }
}

const waiting = (accepted: string) =>
  accepted === 'True'
    ? {
        ...{ type: 'Established', status: 'False' },
        reason: 'Installing',
        message: 'the initial names have been accepted',
      }
    : {
        ...{ type: 'Established', status: 'False' },
        reason: 'NotAccepted',
        message: 'not all names are accepted',
      };

const EMPTYING = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionInProgress',
  message: 'CustomResource deletion is in progress',
};

/** Whoever changed it brings it here again. */
const ignoringRaces = async (write: Promise<unknown>): Promise<void> => {
  try {
    await write;
  } catch (error) {
    if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
  }
};

const LOOK_AGAIN_MS = 50;
const RECHECK_MS = 500;
const DELETIONS_AT_A_TIME = 8;
