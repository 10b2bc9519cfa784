import { DYN, param, type CelType } from './types';

/**
 * What is known of type parameters while one expression is checked. A step that fails leaves nothing
 * behind.
 */
export class Bindings {
  private readonly bound = new Map<string, CelType>();
  private trail: [string, CelType | undefined][] = [];
  private count = 0;

  /** Of something whose type only its use will tell: the items of `[]`. */
  fresh(): CelType {
    return param(`_${this.count++}`);
  }

  /** The types with parameters of their own in the place of the signature's. */
  instantiate(types: readonly CelType[]): readonly CelType[] {
    const own = new Map<string, CelType>();
    const rename = (name: string): CelType => {
      const known = own.get(name) ?? this.fresh();
      own.set(name, known);
      return known;
    };
    return types.map((type) => mapParams(type, rename));
  }

  /** May what is given stand where the others are wanted? All or none are bound by it. */
  accepts(wanted: readonly CelType[], given: readonly CelType[]): boolean {
    if (wanted.length !== given.length) return false;
    this.trail = [];
    if (wanted.every((type, i) => this.assign(type, given[i] ?? DYN))) return true;
    for (const [name, before] of this.trail.reverse())
      if (before === undefined) this.bound.delete(name);
      else this.bound.set(name, before);
    return false;
  }

  /** With what is known put in; parameters that are still open stay. */
  resolve(type: CelType): CelType {
    return mapParams(type, (name) => {
      const known = this.bound.get(name);
      return known === undefined ? param(name) : this.resolve(known);
    });
  }

  /** As `resolve`, with `dyn` for what nothing tells. */
  final(type: CelType): CelType {
    return mapParams(this.resolve(type), () => DYN);
  }

  private assign(wanted: CelType, given: CelType): boolean {
    if (wanted === given) return true;
    if (given.kind === 'param') return this.bind(given.name, wanted);
    if (wanted.kind === 'param') return this.bind(wanted.name, given);
    if (isAnything(wanted) || isAnything(given)) return true;
    if (given.kind === 'null') return wanted.kind === 'null' || isNullable(wanted);
    if (wanted.kind === 'null') return isNullable(given);
    return this.sameShape(wanted, given);
  }

  private sameShape(wanted: CelType, given: CelType): boolean {
    switch (wanted.kind) {
      case 'list':
        return given.kind === 'list' && this.assign(wanted.of, given.of);
      case 'map':
        return (
          given.kind === 'map' &&
          this.assign(wanted.key, given.key) &&
          this.assign(wanted.of, given.of)
        );
      case 'optional':
        return given.kind === 'optional' && this.assign(wanted.of, given.of);
      case 'type':
        return given.kind === 'type';
      case 'object':
      case 'opaque':
        return given.kind === wanted.kind && given.name === wanted.name;
      default:
        return given.kind === wanted.kind;
    }
  }

  private bind(name: string, other: CelType): boolean {
    if (other.kind === 'param' && other.name === name) return true;
    const known = this.bound.get(name);
    if (known === undefined) {
      if (this.mentions(other, name)) return false;
      return this.set(name, other);
    }
    if (!this.assign(known, other)) return false;
    return isAnything(other) && !isAnything(known) ? this.set(name, DYN) : true;
  }

  private set(name: string, type: CelType): true {
    this.trail.push([name, this.bound.get(name)]);
    this.bound.set(name, type);
    return true;
  }

  private mentions(type: CelType, name: string): boolean {
    let isThere = false;
    mapParams(this.resolve(type), (other) => {
      isThere ||= other === name;
      return param(other);
    });
    return isThere;
  }
}

/** The very same type, as messages would print it. */
export const sameType = (a: CelType, b: CelType): boolean => {
  if (a === b) return true;
  switch (a.kind) {
    case 'list':
    case 'optional':
      return b.kind === a.kind && sameType(a.of, b.of);
    case 'map':
      return b.kind === 'map' && sameType(a.key, b.key) && sameType(a.of, b.of);
    case 'object':
    case 'opaque':
    case 'param':
      return b.kind === a.kind && a.name === b.name;
    default:
      return a.kind === b.kind;
  }
};

const mapParams = (type: CelType, replace: (name: string) => CelType): CelType => {
  switch (type.kind) {
    case 'param':
      return replace(type.name);
    case 'list':
    case 'optional':
    case 'type': {
      const of = mapParams(type.of, replace);
      return of === type.of ? type : { ...type, of };
    }
    case 'map': {
      const key = mapParams(type.key, replace);
      const of = mapParams(type.of, replace);
      return key === type.key && of === type.of ? type : { ...type, key, of };
    }
    default:
      return type;
  }
};

const isAnything = ({ kind }: CelType): boolean => kind === 'dyn' || kind === 'error';

const isNullable = ({ kind }: CelType): boolean => NULLABLE.has(kind);

const NULLABLE: ReadonlySet<string> = new Set(['object', 'opaque', 'timestamp', 'duration']);
