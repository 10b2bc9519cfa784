/** What is asked: of objects, or of a path that names none. */
export interface Attributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Of a list or watch: the fields that must have one value. */
  readonly fields?: ReadonlyMap<string, string>;
  /** Set for requests that are about no resource. */
  readonly path?: string;
}
