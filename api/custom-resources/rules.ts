import {
  CelBudget,
  CelBudgetError,
  CelCompileError,
  celEnvironment,
  CelRuntimeError,
  compileCel,
  compileWithCost,
  OBJECT_BUDGET,
  optionalOf,
  schemaType,
  sizesOf,
  type BoundedSchema,
  type CelProgram,
  type CelType,
  type SchemaShape,
} from '../cel';
import {
  duplicate,
  forbidden,
  invalid,
  NOT_SHOWN,
  required,
  type FieldError,
} from '../validation/field-error';
import type { Before } from './checks';
import {
  additionalOf,
  anywhere,
  isJsonList,
  itemsOf,
  propertyOf,
  type JsonSchema,
  type ValidationRule,
} from '../structural/json-schema';
import { itemByKeys } from './list-types';
import { Sameness } from './sameness';
import type { Steps } from './steps';
import { isJsonObject } from '../../lib/json';

/** A rule in CEL, ready to be asked. */
interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program: CelProgram;
  readonly message?: CelProgram;
  /** What it cost the last time: about as much as it will the next. */
  lastCost: number;
}

/** Rules of one schema, not of those inside it. @throws CelCompileError with the rule's place */
export const compileRule = (
  schema: JsonSchema,
  rule: ValidationRule,
  isRoot: boolean,
): CompiledRule => {
  const environment = environmentOf(schema, rule, isRoot);
  const { messageExpression = '' } = rule;
  return {
    ...{ rule, lastCost: 0 },
    program: compileCel(rule.rule, environment, 'bool'),
    ...(messageExpression === ''
      ? {}
      : { message: compileCel(messageExpression, environment, 'string') }),
  };
};

/** What a rule costs at most, each time that it is asked. */
export interface RuleCost {
  readonly rule: number;
  readonly message: number;
}

/** `compileRule` for who is yet to take the rule. @throws CelCompileError */
export const estimateRule = (
  schema: JsonSchema,
  rule: ValidationRule,
  isRoot: boolean,
): { readonly program: CelProgram; readonly cost: RuleCost } => {
  const environment = environmentOf(schema, rule, isRoot);
  const size = sizesOf(schema as BoundedSchema, isRoot);
  const variables = new Map(size === undefined ? [] : [SELF, OLD_SELF].map((name) => [name, size]));
  const { program, cost } = compileWithCost(rule.rule, environment, 'bool', variables);
  const { messageExpression = '' } = rule;
  const message =
    messageExpression === ''
      ? 0
      : compileWithCost(messageExpression, environment, 'string', variables).cost;
  return { program, cost: { rule: cost, message } };
};

const SELF = 'self';
const OLD_SELF = 'oldSelf';

const environmentOf = (schema: JsonSchema, rule: ValidationRule, isRoot: boolean) => {
  // Several schemas for the items of a list were refused before.
  const self = typeOf(schema, isRoot);
  if (self === undefined) throw new CelCompileError('the schema has no values that rules can see');
  const oldSelf = rule.optionalOldSelf === true ? optionalOf(self) : self;
  return celEnvironment({ [SELF]: self, [OLD_SELF]: oldSelf });
};

/** Made once for all rules of a schema, which may be large. */
const typeOf = (schema: JsonSchema, isRoot: boolean): CelType | undefined => {
  const known = isRoot ? rootTypes : types;
  let type = known.get(schema);
  if (type === undefined) {
    type = schemaType(schema as SchemaShape, { isRoot });
    if (type !== undefined) known.set(schema, type);
  }
  return type;
};

const types = new WeakMap<JsonSchema, CelType>();
const rootTypes = new WeakMap<JsonSchema, CelType>();

/**
 * What rules in CEL say of an object. One of them is asked about a change only where there was a value
 * before. Source: upstream's schema/cel/validation.go.
 */
export function* ruleProblems(
  object: unknown,
  schema: JsonSchema,
  old?: Before,
): Steps<readonly FieldError[]> {
  if (!hasRules(schema)) return [];
  const errors: FieldError[] = [];
  try {
    yield* new Evaluation(errors).visit(object, schema, '', old, true);
  } catch (error) {
    if (!(error instanceof CelBudgetError)) throw error;
    const why =
      'validation failed due to running out of cost budget, no further validation rules will be run';
    errors.push(invalid('<nil>', '', why));
  }
  return errors;
}

class Evaluation {
  private readonly budget = new CelBudget(OBJECT_BUDGET);
  private readonly sameness = new Sameness((parts) => this.budget.take(parts));
  private sinceRest = 0;

  constructor(private readonly errors: FieldError[]) {}

  *visit(
    value: unknown,
    schema: JsonSchema,
    path: string,
    old: Before,
    isRoot: boolean,
  ): Steps<void> {
    if (!hasRules(schema) || value === null || this.errors.length >= ERRORS_MAX) return;
    for (const each of yield* this.rulesOf(schema, isRoot)) {
      if (this.sinceRest + each.lastCost > STEP_MAX) yield* this.rest();
      const { remaining } = this.budget;
      this.ask(each, value, path, old);
      each.lastCost = remaining - this.budget.remaining;
      this.sinceRest += each.lastCost;
    }
    if (isJsonObject(value)) {
      for (const [name, member] of Object.entries(value)) {
        const property = propertyOf(schema, name);
        const of = property ?? additionalOf(schema);
        const at =
          property === undefined ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
        const was =
          isJsonObject(old?.value) && Object.hasOwn(old.value, name)
            ? { value: old.value[name] }
            : undefined;
        if (of !== undefined) yield* this.visit(member, of, at, was, false);
      }
      return;
    }
    const items = itemsOf(schema);
    if (!isJsonList(value) || items === undefined) return;
    const was = itemByKeys(schema, old?.value);
    for (const [index, item] of value.entries())
      yield* this.visit(item, items, `${path}[${index}]`, was(item), false);
  }

  /** Compiled when they are first asked, as costs go: a character takes about two microseconds. */
  private *rulesOf(schema: JsonSchema, isRoot: boolean): Steps<readonly CompiledRule[]> {
    const there = known.get(schema);
    if (there !== undefined) return there;
    const compiled: CompiledRule[] = [];
    for (const rule of schema['x-kubernetes-validations'] ?? []) {
      const { length } = `${rule.rule}${rule.messageExpression ?? ''}`;
      const cost = COMPILE_COST * (length + SHORTEST);
      if (this.sinceRest + cost > STEP_MAX) yield* this.rest();
      compiled.push(compileRule(schema, rule, isRoot));
      this.sinceRest += cost;
    }
    known.set(schema, compiled);
    return compiled;
  }

  private *rest(): Steps<void> {
    this.sinceRest = 0;
    yield;
  }

  private ask(
    { rule, program, message }: CompiledRule,
    self: unknown,
    path: string,
    old: Before,
  ): void {
    this.budget.take(RULE_COST);
    if (this.budget.remaining === 0) throw new CelBudgetError('budget');
    const isTransition = program.uses('oldSelf');
    if (isTransition && old === undefined && rule.optionalOldSelf !== true) return;
    // What was there before may go on being there, though a rule has come since.
    if (!isTransition && old !== undefined && this.sameness.isSame(self, old.value)) return;
    const values = { self, oldSelf: old?.value };
    const shown = isJsonObject(self) || isJsonList(self) ? NOT_SHOWN : self;
    try {
      if (program.evaluateBool(values, this.budget)) return;
      const text =
        this.textOf(message, values) ?? rule.message?.trim() ?? `failed rule: ${rule.rule.trim()}`;
      this.errors.push(failure(fieldOf(path, rule), shown, text, rule.reason));
    } catch (error) {
      if (error instanceof CelRuntimeError)
        this.errors.push(invalid(path, shown, `${error.message} evaluating rule: ${rule.rule}`));
      else if (error instanceof CelBudgetError && error.scope === 'call')
        this.errors.push(invalid(path, shown, `call cost exceeds limit for rule: ${rule.rule}`));
      else throw error;
    }
  }

  /** A message that cannot be made leaves the other words. */
  private textOf(message: CelProgram | undefined, values: Readonly<Record<string, unknown>>) {
    if (message === undefined) return undefined;
    try {
      const text = message.evaluateString(values, this.budget).trim();
      return text === '' || /[\n\r]/.test(text) ? undefined : text;
    } catch (error) {
      if (error instanceof CelRuntimeError) return undefined;
      throw error;
    }
  }
}

const fieldOf = (path: string, { fieldPath = '' }: ValidationRule): string =>
  path === '' ? fieldPath.replace(/^\./, '') || '<nil>' : `${path}${fieldPath}`;

const failure = (field: string, value: unknown, text: string, reason?: string): FieldError => {
  switch (reason) {
    case 'FieldValueRequired':
      return required(field, text);
    case 'FieldValueForbidden':
      return forbidden(field, text);
    case 'FieldValueDuplicate':
      return duplicate(field, value, text);
    default:
      return invalid(field, value, text);
  }
};

/** About five milliseconds. A single rule may take longer, up to what one call may cost. */
const STEP_MAX = 40_000;
/** What a rule costs beside what its expression does. */
const RULE_COST = 8;
/** Of each character, and of a rule that has hardly any. */
const COMPILE_COST = 16;
const SHORTEST = 100;
/** Nobody reads more. */
const ERRORS_MAX = 100;
const known = new WeakMap<JsonSchema, readonly CompiledRule[]>();
export const hasRules = anywhere((schema) => (schema['x-kubernetes-validations'] ?? []).length > 0);
