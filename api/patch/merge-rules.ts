import { definitionOf, resolveSchema, type KindName } from '../schema/definitions';
import type { Schema } from '../schema/schema';
import { member, type Json } from './json';
import { stringifyJson, isJsonObject } from '../../lib/json';

/** How one place in an object merges: the schema, or nothing where none is known. */
export class MergeRules {
  private constructor(
    /** The schema of the field itself: its list rules stand there. */
    private readonly fieldSchema: Schema | undefined,
  ) {}

  /** Kinds without a schema merge maps and replace lists. */
  static forKind(kind: KindName): MergeRules {
    return new MergeRules(definitionOf(kind).schema);
  }

  static readonly unknown = new MergeRules(undefined);

  field(name: string): MergeRules {
    const { properties, additionalProperties } = this.target;
    return new MergeRules((properties && ownOf(properties, name)) ?? additionalProperties);
  }

  get item(): MergeRules {
    return new MergeRules(this.target.items);
  }

  /** Does a list merge with the stored one, or take its place? */
  get mergesList(): boolean {
    return this.strategies.includes('merge');
  }

  get retainsKeys(): boolean {
    return this.strategies.includes('retainKeys');
  }

  get mergeKey(): string | undefined {
    return this.fieldSchema?.['x-kubernetes-patch-merge-key'];
  }

  /**
   * What tells the items of a merging list apart. Beside the merge key it counts every key of the
   * list: a port number alone would make one of 53/TCP and 53/UDP. Keys that the item lacks stand
   * at their default.
   */
  identityOf(item: unknown): string {
    if (!isJsonObject(item)) return JSON.stringify(String(item));
    const keys = this.identityKeys;
    return stringifyJson(keys.map((key) => member(item, key) ?? this.defaultOf(key)));
  }

  /** Are there keys beside the merge key, so that several items may share that? */
  get hasFurtherKeys(): boolean {
    return this.identityKeys.length > 1;
  }

  /** The merge key of an item, for comparison. */
  mergeKeyOf(item: unknown): string {
    const { mergeKey } = this;
    return mergeKey !== undefined && isJsonObject(item)
      ? stringifyJson([member(item, mergeKey) ?? null])
      : stringifyJson([item]);
  }

  /** The item's keys alone, as directives name it. */
  keysOf(item: Json): Json {
    const present = this.identityKeys.filter((key) => Object.hasOwn(item, key));
    return Object.fromEntries(present.map((key) => [key, item[key]]));
  }

  private get identityKeys(): readonly string[] {
    const { mergeKey } = this;
    if (mergeKey === undefined) return [];
    const further = this.fieldSchema?.['x-kubernetes-list-map-keys'] ?? [];
    return [mergeKey, ...further.filter((key) => key !== mergeKey)];
  }

  private defaultOf(key: string): unknown {
    return this.item.field(key).fieldSchema?.default ?? null;
  }

  private get strategies(): readonly string[] {
    return (this.fieldSchema?.['x-kubernetes-patch-strategy'] ?? '').split(',');
  }

  private get target(): Schema {
    return this.fieldSchema === undefined ? {} : resolveSchema(this.fieldSchema).schema;
  }
}

const ownOf = (properties: Readonly<Record<string, Schema>>, name: string): Schema | undefined =>
  Object.hasOwn(properties, name) ? properties[name] : undefined;
