import { access, hasField, index, optionalAccess, optionalIndex } from './access';
import type { CelEnvironment } from './environment';
import { checkFold, checkOptionalMap } from './folds';
import type { Plan } from './frame';
import { LIBRARY, TYPE_CONSTANTS } from './library';
import type { Overload } from './library/function';
import { makeMessage } from './messages';
import { planCall } from './plan-call';
import { checkLiteralArguments } from './literal-arguments';
import type { Issue } from './source';
import type { Call, Expr, Message, Select } from './syntax';
import {
  BOOL,
  DYN,
  ERROR,
  formatType,
  listOf,
  mapOf,
  optionalOf,
  typeOf,
  type CelType,
} from './types';
import { Bindings, sameType } from './unify';
import { and, choose, makeList, makeMap, or } from './plan-parts';
import { CelTypeValue } from './values';

/** What the checker made of an expression: its type, and how it is evaluated. */
export interface Checked {
  readonly type: CelType;
  readonly run: Plan;
}

/** The variables that macros have declared around an expression, the innermost first. */
export interface Scope {
  readonly name: string;
  readonly type: CelType;
  readonly slot: number;
  readonly outer: Scope | undefined;
}

type At<T> = T & { readonly at: number };

/** Finds the type of every part of one expression, and says what cannot be meant. */
export class Checker {
  readonly issues: Issue[] = [];
  readonly bindings = new Bindings();
  private readonly types = new Map<Expr, CelType>();
  private slotCount = 0;

  constructor(private readonly environment: CelEnvironment) {}

  check(expr: Expr, scope: Scope | undefined): Checked {
    const checked = this.checkPart(expr, scope);
    this.types.set(expr, checked.type);
    return checked;
  }

  /** Of a part that was checked. */
  typeOf(expr: Expr): CelType {
    return this.bindings.final(this.types.get(expr) ?? DYN);
  }

  private checkPart(expr: Expr, scope: Scope | undefined): Checked {
    switch (expr.kind) {
      case 'literal': {
        const { value, type } = expr;
        return { type, run: () => value };
      }
      case 'ident':
        return this.ident(expr.name, expr.at, scope);
      case 'select':
        return this.select(expr, scope);
      case 'call':
        return this.call(expr, scope);
      case 'list':
        return this.list(expr, scope);
      case 'map':
        return this.map(expr, scope);
      case 'message':
        return this.message(expr, scope);
      case 'fold':
        return checkFold(this, expr, scope);
      case 'optMap':
        return checkOptionalMap(this, expr, scope);
    }
  }

  /** Says what is wrong, once: what has no type fits everywhere. */
  refuse(at: number, message: string): Checked {
    this.issues.push({ at, message });
    return { type: ERROR, run: () => null };
  }

  noOverload(at: number, name: string, types: readonly CelType[], isMember = false): Checked {
    const shown = types.map((type) => formatType(this.bindings.final(type)));
    if (shown.includes('!error!')) return { type: ERROR, run: () => null };
    const target = isMember ? `${shown.shift() ?? ''}.` : '';
    return this.refuse(
      at,
      `found no matching overload for '${name}' applied to '${target}(${shown.join(', ')})'`,
    );
  }

  mismatch(at: number, wanted: CelType, found: CelType): Checked {
    const [a, b] = [wanted, found].map((type) => formatType(this.bindings.final(type)));
    return this.refuse(at, `expected type '${a ?? ''}' but found '${b ?? ''}'`);
  }

  /** Says so when it can be no truth. */
  requireBool(type: CelType, at: number): void {
    if (!this.bindings.accepts([BOOL], [type])) this.mismatch(at, BOOL, type);
  }

  declare(name: string, type: CelType, outer: Scope | undefined): Scope {
    return { name, type, slot: this.slotCount++, outer };
  }

  private ident(name: string, at: number, scope: Scope | undefined): Checked {
    return this.variable(name, scope) ?? this.refuse(at, undeclared(name));
  }

  private variable(name: string, scope: Scope | undefined): Checked | undefined {
    for (let local = scope; local !== undefined; local = local.outer) {
      if (local.name !== name) continue;
      const { slot, type } = local;
      return {
        type,
        run: (frame) => {
          frame.meter.charge(1);
          return frame.slots[slot] ?? null;
        },
      };
    }
    const type = this.environment.variables.get(name);
    if (type !== undefined)
      return {
        type,
        run: (frame) => {
          frame.meter.charge(1);
          return frame.global(name);
        },
      };
    const constant = TYPE_CONSTANTS.get(name);
    if (constant === undefined) return undefined;
    const value = new CelTypeValue(name);
    return { type: typeOf(constant), run: () => value };
  }

  private select(expr: At<Select>, scope: Scope | undefined): Checked {
    const { operand, field, mode, at } = expr;
    const name = mode === 'get' ? this.dottedName(expr, scope) : undefined;
    const dotted = name === undefined ? undefined : this.variable(name, undefined);
    if (dotted !== undefined) return dotted;
    const { type: given, run } = this.check(operand, scope);
    const type = this.bindings.resolve(given);
    const isOptional = type.kind === 'optional';
    const found = this.fieldType(isOptional ? type.of : type, field, at);
    if (mode === 'has') return { type: BOOL, run: hasField(run, field) };
    if (mode === 'optional' || isOptional)
      return { type: optionalOf(found), run: optionalAccess(run, field) };
    return { type: found, run: access(run, field) };
  }

  private fieldType(given: CelType, field: string, at: number): CelType {
    const type = this.bindings.resolve(given);
    switch (type.kind) {
      case 'map':
        return type.of;
      case 'object':
        return (
          type.fields.get(field)?.type ??
          (type.isOpen === true ? DYN : this.refuse(at, `undefined field '${field}'`).type)
        );
      case 'dyn':
      case 'error':
        return type;
      case 'param':
        return DYN;
      default:
        return this.refuse(
          at,
          `type '${formatType(this.bindings.final(type))}' does not support field selection`,
        ).type;
    }
  }

  /** `a.b.c`, unless `a` is a variable of a macro. */
  private dottedName(expr: Expr, scope: Scope | undefined): string | undefined {
    if (expr.kind === 'ident') return isLocal(expr.name, scope) ? undefined : expr.name;
    if (expr.kind !== 'select' || expr.mode !== 'get') return undefined;
    const prefix = this.dottedName(expr.operand, scope);
    return prefix === undefined ? undefined : `${prefix}.${expr.field}`;
  }

  private call(expr: At<Call>, scope: Scope | undefined): Checked {
    const special = SPECIAL[expr.name];
    if (special !== undefined && expr.target === undefined)
      return this[special](
        expr,
        expr.args.map((arg) => this.check(arg, scope)),
      );
    const prefix = expr.target === undefined ? undefined : this.dottedName(expr.target, scope);
    const dotted = `${prefix ?? ''}.${expr.name}`;
    const isDotted = prefix !== undefined && this.overloads(dotted) !== undefined;
    const name = isDotted ? dotted : expr.name;
    const target = isDotted ? undefined : expr.target;
    const overloads = this.overloads(name);
    const parts = target === undefined ? expr.args : [target, ...expr.args];
    const args = parts.map((part) => this.check(part, scope));
    if (overloads === undefined) return this.refuse(expr.at, undeclared(name));
    this.issues.push(...checkLiteralArguments(name, expr.args));
    return this.resolve({ name, at: expr.at, isMember: target !== undefined }, overloads, args);
  }

  private overloads(name: string): readonly Overload[] | undefined {
    const { functions = {} } = this.environment;
    return LIBRARY.get(name) ?? (Object.hasOwn(functions, name) ? functions[name] : undefined);
  }

  private resolve(
    { name, at, isMember }: { name: string; at: number; isMember: boolean },
    overloads: readonly Overload[],
    args: readonly Checked[],
  ): Checked {
    const given = args.map(({ type }) => this.bindings.resolve(type));
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of overloads) {
      if (overload.isMember !== isMember || overload.args.length !== given.length) continue;
      const [own = DYN, ...wanted] = this.bindings.instantiate([overload.result, ...overload.args]);
      if (!this.bindings.accepts(wanted, given)) continue;
      fitting.push(overload);
      const type = this.bindings.resolve(own);
      result = result === undefined || sameType(result, type) ? type : DYN;
    }
    if (result === undefined) return this.noOverload(at, name, given, isMember);
    return {
      type: result,
      run: planCall(
        fitting,
        args.map(({ run }) => run),
      ),
    };
  }

  private logical({ name, args: parts }: At<Call>, args: readonly Checked[]): Checked {
    const [left, right] = args as [Checked, Checked];
    for (const [i, { type }] of args.entries()) this.requireBool(type, parts[i]?.at ?? 0);
    return { type: BOOL, run: (name === '_&&_' ? and : or)(left.run, right.run) };
  }

  private conditional({ name, at }: At<Call>, args: readonly Checked[]): Checked {
    const [condition, then, otherwise] = args as [Checked, Checked, Checked];
    const result = this.bindings.fresh();
    const types = args.map(({ type }) => type);
    if (!this.bindings.accepts([BOOL, result, result], types))
      return this.noOverload(at, name, types);
    const run = choose(condition.run, then.run, otherwise.run);
    return { type: this.bindings.resolve(result), run };
  }

  private indexed({ name, at }: At<Call>, args: readonly Checked[]): Checked {
    const [container, key] = args as [Checked, Checked];
    const type = this.bindings.resolve(container.type);
    const isOptional = type.kind === 'optional';
    const item = this.itemType(isOptional ? type.of : type, key.type);
    if (item === undefined) return this.noOverload(at, name, [type, key.type]);
    if (name === '_[?_]' || isOptional)
      return { type: optionalOf(item), run: optionalIndex(container.run, key.run) };
    return { type: item, run: index(container.run, key.run) };
  }

  private itemType(given: CelType, key: CelType): CelType | undefined {
    const type = this.bindings.resolve(given);
    if (type.kind === 'dyn' || type.kind === 'error') return type;
    const item = this.bindings.fresh();
    const keys = this.bindings.fresh();
    if (type.kind !== 'map' && this.bindings.accepts(INDEXED_LIST(item), [type, key]))
      return this.bindings.resolve(item);
    return this.bindings.accepts([mapOf(keys, item), keys], [type, key])
      ? this.bindings.resolve(item)
      : undefined;
  }

  private list(expr: At<Extract<Expr, { kind: 'list' }>>, scope: Scope | undefined): Checked {
    const items = expr.items.map(({ value, isOptional }) => ({
      ...{ at: value.at, isOptional },
      ...this.element(value, isOptional, scope),
    }));
    const type = this.common(items) ?? this.bindings.fresh();
    return { type: listOf(type), run: makeList(items) };
  }

  private map(expr: At<Extract<Expr, { kind: 'map' }>>, scope: Scope | undefined): Checked {
    const entries = expr.entries.map(({ key, value, isOptional }) => ({
      key: { at: key.at, ...this.check(key, scope) },
      value: { at: value.at, ...this.element(value, isOptional, scope) },
      isOptional,
    }));
    const key = this.common(entries.map((entry) => entry.key)) ?? this.bindings.fresh();
    const value = this.common(entries.map((entry) => entry.value)) ?? this.bindings.fresh();
    return { type: mapOf(key, value), run: makeMap(entries) };
  }

  private message({ typeName, fields, at }: At<Message>, scope: Scope | undefined): Checked {
    const type = this.environment.messageType?.(typeName);
    if (type === undefined) return this.refuse(at, undeclared(typeName));
    const checked = fields.map(({ name, value, isOptional, at: fieldAt }) => {
      const { type: found, run } = this.element(value, isOptional, scope);
      const wanted = this.fieldType(type, name, fieldAt);
      if (!this.bindings.accepts([wanted], [found])) this.mismatch(value.at, wanted, found);
      return { name, run, isOptional };
    });
    return { type, run: makeMessage(type, checked) };
  }

  private element(value: Expr, isOptional: boolean, scope: Scope | undefined): Checked {
    const checked = this.check(value, scope);
    if (!isOptional) return checked;
    const of = this.bindings.fresh();
    return this.bindings.accepts([optionalOf(of)], [checked.type])
      ? { type: this.bindings.resolve(of), run: checked.run }
      : this.mismatch(value.at, optionalOf(DYN), checked.type);
  }

  /** Items of a literal are of one type, as upstream has it in the API server. */
  private common(items: readonly At<Checked>[]): CelType | undefined {
    let type: CelType | undefined;
    for (const item of items) {
      if (type === undefined) type = item.type;
      else if (!this.bindings.accepts([type], [item.type])) {
        this.mismatch(item.at, type, item.type);
      }
    }
    return type === undefined ? undefined : this.bindings.resolve(type);
  }
}

const isLocal = (name: string, scope: Scope | undefined): boolean => {
  for (let local = scope; local !== undefined; local = local.outer)
    if (local.name === name) return true;
  return false;
};

const undeclared = (name: string): string => `undeclared reference to '${name}' (in container '')`;

const INDEXED_LIST = (item: CelType): readonly CelType[] => [listOf(item), { kind: 'int' }];

const SPECIAL: Readonly<Record<string, 'logical' | 'conditional' | 'indexed' | undefined>> = {
  ...{ '_&&_': 'logical', '_||_': 'logical', '_?_:_': 'conditional' },
  ...{ '_[_]': 'indexed', '_[?_]': 'indexed' },
};
