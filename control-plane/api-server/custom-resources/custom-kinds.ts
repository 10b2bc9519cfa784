import { jsonEqual } from '../../../api/json-value';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../../api/resources';
import type { CustomResourceDefinition } from '../../../api/types';
import { isServed, isTerminating } from '../../../api/custom-resources/definitions';
import { Informer, type InformerDeps } from '../../../client/informer';
import type { TaskGroup } from '../../../lib/async/task-group';
import type { Conversions } from '../conversion';
import { customKinds } from '../kinds/custom-kind';
import type { KindRegistry } from '../kinds/kind-registry';
import type { ServedKind } from '../kinds/served-kind';

/**
 * Keeps the kinds that users define in the registry: after a start those that are there, then each as
 * its definition comes, changes and goes. A definition that cannot be served is logged, and harms no
 * other.
 */
export class CustomKinds {
  private readonly served = new Map<string, Served>();
  private readonly definitions: Informer<CustomResourceDefinition>;

  private constructor(
    private readonly deps: InformerDeps,
    private readonly kinds: KindRegistry,
    private readonly conversions: Conversions,
  ) {
    this.definitions = new Informer(CUSTOM_RESOURCE_DEFINITIONS, deps);
    this.definitions.subscribe({
      name: 'custom-kinds',
      onAdd: (definition) => this.follow(definition),
      onUpdate: (definition) => this.follow(definition),
      onDelete: ({ metadata }) => this.become(metadata.name, undefined, []),
    });
  }

  static start(
    deps: InformerDeps,
    kinds: KindRegistry,
    conversions: Conversions,
    group: TaskGroup,
  ): CustomKinds {
    const custom = new CustomKinds(deps, kinds, conversions);
    group.run((signal) => custom.definitions.run(signal));
    return custom;
  }

  /** Resolves when all definitions that there were at the start are served. */
  whenSynced(): Promise<void> {
    return this.definitions.whenSynced();
  }

  private follow(definition: CustomResourceDefinition): void {
    const { name } = definition.metadata;
    const basis = basisOf(definition);
    // Conditions come and go: only what kinds are made of makes others of them.
    if (jsonEqual(this.served.get(name)?.basis, basis)) return;
    try {
      const conversionOf = this.conversions.of(definition);
      this.become(name, basis, customKinds(definition, conversionOf));
    } catch (err) {
      this.deps.log.error({ definition: name, err }, 'custom resource definition not served');
      this.become(name, basis, []);
    }
  }

  private become(name: string, basis: unknown, kinds: readonly ServedKind[]): void {
    this.kinds.change(this.served.get(name)?.kinds ?? [], kinds);
    if (basis === undefined) this.served.delete(name);
    else this.served.set(name, { basis, kinds });
  }
}

interface Served {
  readonly basis: unknown;
  readonly kinds: readonly ServedKind[];
}

/** All of a definition that its kinds follow from. */
const basisOf = (definition: CustomResourceDefinition): unknown => ({
  uid: definition.metadata.uid,
  spec: definition.spec,
  names: definition.status.acceptedNames,
  isServed: isServed(definition),
  isTerminating: isTerminating(definition),
});
