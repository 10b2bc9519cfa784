/** The part of OpenAPI v3 that describes Kubernetes types. */
export interface Schema {
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly $ref?: string;
  /** Go's name of a string type: it shows in type errors. */
  readonly 'x-go-type'?: string;
  /**
   * How the field looks when it is empty. `pointer`: absent, but a zero that is given stays. `null`
   * and `zero`: written as that. Otherwise absent and zero are the same, and absent.
   */
  readonly 'x-go-presence'?: 'pointer' | 'null' | 'zero';
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set';
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string;
    readonly kind: string;
    readonly version: string;
  }[];
}

export type Definitions = Readonly<Record<string, Schema>>;
