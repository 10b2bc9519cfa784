import { UsageError } from '../usage-error';

/** A schema of OpenAPI v3, as far as it is explained. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly $ref?: string;
  readonly 'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[];
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface OpenApiDocument {
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

/** The schemas of one group and version. */
export class Schemas {
  constructor(private readonly document: OpenApiDocument) {}

  ofKind({ group, version, kind }: GroupVersionKind): Schema | undefined {
    return Object.values(this.document.components?.schemas ?? {}).find((schema) =>
      schema['x-kubernetes-group-version-kind']?.some(
        (each) => each.group === group && each.version === version && each.kind === kind,
      ),
    );
  }

  /** The field at a path below a schema, as it is written there. @throws UsageError */
  at(root: Schema, path: readonly string[]): Schema {
    let schema = root;
    for (const name of path) {
      const fields = this.fieldsOf(schema);
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field === undefined) throw new UsageError(`field "${name}" does not exist`);
      schema = field;
    }
    return schema;
  }

  /** The fields of what a schema is, or is a list or a map of. */
  fieldsOf(schema: Schema): Readonly<Record<string, Schema>> {
    return this.elementOf(schema).properties ?? {};
  }

  requiredOf(schema: Schema): ReadonlySet<string> {
    return new Set(this.elementOf(schema).required);
  }

  /** What a schema refers to, itself where it does not. */
  referred(schema: Schema): Schema {
    const name = referenceOf(schema);
    return name === undefined ? schema : (this.document.components?.schemas?.[name] ?? schema);
  }

  /** `string`, `[]Container`, `map[string]Quantity` */
  typeOf(schema: Schema, depth = 0): string {
    const { type, items, additionalProperties } = this.referred(schema);
    if (depth > DEPTH_MAX) return 'Object';
    if (type === 'array') return `[]${this.typeOf(items ?? {}, depth + 1)}`;
    if (type === 'object' && typeof additionalProperties === 'object') {
      return `map[string]${this.typeOf(additionalProperties, depth + 1)}`;
    }
    const reference = referenceOf(schema)?.split('.').at(-1);
    if (type !== undefined && type !== 'object') return type;
    return reference ?? 'Object';
  }

  /** Its own words, and those of the type that it is of. */
  descriptionsOf(schema: Schema): readonly string[] {
    const texts = [schema, this.elementOf(schema)].map(({ description = '' }) => description);
    return [...new Set(texts)].filter((text) => text !== '');
  }

  /** What a schema is in the end: of a list or a map, what it holds. */
  elementOf(schema: Schema, depth = 0): Schema {
    const whole = this.referred(schema);
    const { items, additionalProperties } = whole;
    const inner =
      items ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
    return inner === undefined || depth > DEPTH_MAX ? whole : this.elementOf(inner, depth + 1);
  }
}

const referenceOf = ({ $ref, allOf }: Schema): string | undefined =>
  ($ref ?? allOf?.find((each) => each.$ref !== undefined)?.$ref)?.replace(
    '#/components/schemas/',
    '',
  );

const DEPTH_MAX = 10;
