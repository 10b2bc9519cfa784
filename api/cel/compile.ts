import { APPLY_OBJECT, JSON_PATCH_OPERATION } from './admission';
import { Checker } from './checker';
import { estimateCost } from './cost/estimate';
import type { ValueSize } from './cost/sizes';
import type { CelEnvironment } from './environment';
import { CelCompileError, CelRuntimeError, noSuchOverload } from './errors';
import { Frame, type Plan } from './frame';
import { fromJson } from './json-values';
import { measure, namesIn } from './measure';
import { Meter, PER_CALL_LIMIT, type CelBudget } from './meter';
import { parseCel } from './parser';
import { compileError } from './source';
import { DEPTH_MAX, type Expr } from './syntax';
import { BOOL, formatType, listOf, NULL, STRING, type CelType } from './types';
import type { CelValue } from './values';

/** JSON, a value of an expression, or what gives one of them when it is first asked for. */
export type CelInput = unknown;

/** What an expression must come to. */
export type Wanted = 'bool' | 'string' | 'string or null' | 'apply object' | 'JSON patch' | 'any';

/**
 * Parses and checks. What the engine does not know is refused here, so that nothing is evaluated
 * otherwise than it was meant. @throws CelCompileError in upstream's words
 */
export const compileCel = (
  source: string,
  environment: CelEnvironment,
  wanted: Wanted = 'any',
): CelProgram => compileChecked(source, environment, wanted).program;

/**
 * The same, with what it costs at most where the variables are of these sizes; infinite where nothing
 * bounds it. @throws CelCompileError
 */
export const compileWithCost = (
  source: string,
  environment: CelEnvironment,
  wanted: Wanted,
  variables: ReadonlyMap<string, ValueSize>,
): { readonly program: CelProgram; readonly cost: number } => {
  const { program, expr, checker } = compileChecked(source, environment, wanted);
  const context = { variables, typeOf: (part: Expr) => checker.typeOf(part) };
  return { program, cost: estimateCost(expr, context) };
};

const compileChecked = (source: string, environment: CelEnvironment, wanted: Wanted) => {
  const expr = parseCel(source);
  const { depth, size } = measure(expr);
  if (depth > DEPTH_MAX || size > SIZE_MAX)
    throw compileError(source, [
      {
        at: expr.at,
        message:
          depth > DEPTH_MAX
            ? `expression recursion limit exceeded: ${DEPTH_MAX}`
            : `expression has too many parts: ${size}, limit ${SIZE_MAX}`,
      },
    ]);
  const checker = new Checker(environment);
  const { type, run } = checker.check(expr, undefined);
  if (checker.issues.length > 0) throw compileError(source, checker.issues);
  const resultType = checker.bindings.final(type);
  requireType(resultType, wanted);
  return { program: new CelProgram(source, expr, resultType, environment, run), expr, checker };
};

const requireType = (type: CelType, wanted: Wanted): void => {
  const allowed = RESULTS[wanted];
  const names = allowed?.map(formatType);
  if (names === undefined || names.includes(formatType(type))) return;
  const what = names.length === 1 ? (names[0] ?? '') : `one of [${names.join(' ')}]`;
  throw new CelCompileError(`must evaluate to ${what} but got ${formatType(type)}`);
};

/** A compiled expression. It keeps nothing of its evaluations. */
export class CelProgram {
  private readonly names: ReadonlySet<string>;

  constructor(
    readonly source: string,
    expr: Expr,
    readonly resultType: CelType,
    private readonly environment: CelEnvironment,
    private readonly run: Plan,
  ) {
    this.names = namesIn(expr);
  }

  /** Does the expression mention the variable? */
  uses(name: string): boolean {
    return this.names.has(name);
  }

  /**
   * The value with these variables, which are JSON and are read by their declared types. What it costs
   * goes from the budget. @throws CelRuntimeError, CelBudgetError
   */
  evaluate(
    variables: Readonly<Record<string, CelInput>>,
    budget: CelBudget,
    perCall: number = PER_CALL_LIMIT,
  ): CelValue {
    const meter = new Meter(perCall, budget.remaining);
    try {
      return this.run(new Frame(meter, (name) => this.valueOf(name, variables)));
    } catch (error) {
      throw ofEngine(error);
    } finally {
      budget.take(meter.spent);
    }
  }

  /** @throws CelRuntimeError, also when it is no boolean; CelBudgetError */
  evaluateBool(variables: Readonly<Record<string, CelInput>>, budget: CelBudget): boolean {
    const value = this.evaluate(variables, budget);
    if (typeof value !== 'boolean') throw noSuchOverload();
    return value;
  }

  /** @throws CelRuntimeError, also when it is no text; CelBudgetError */
  evaluateString(variables: Readonly<Record<string, CelInput>>, budget: CelBudget): string {
    const value = this.evaluate(variables, budget);
    if (typeof value !== 'string') throw noSuchOverload();
    return value;
  }

  private valueOf(
    name: string,
    variables: Readonly<Record<string, CelInput>>,
  ): CelValue | undefined {
    const type = this.environment.variables.get(name);
    if (type === undefined || (!Object.hasOwn(variables, name) && type.kind !== 'optional'))
      return undefined;
    const given = variables[name];
    const value = typeof given === 'function' ? (given as () => unknown)() : given;
    return isCelValue(value) ? value : fromJson(value, type);
  }
}

/** JSON has plain objects and lists alone; what has a class is a value already. */
const isCelValue = (value: unknown): value is CelValue =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.getPrototypeOf(value) !== Object.prototype;

/** A fault of this engine is an error of the one expression that found it. */
const ofEngine = (error: unknown): unknown => {
  if (error instanceof RangeError || error instanceof TypeError)
    return new CelRuntimeError(`internal error: ${error.message}`, { cause: error });
  return error;
};

const RESULTS: Readonly<Record<Wanted, readonly CelType[] | undefined>> = {
  ...{ bool: [BOOL], string: [STRING], 'string or null': [STRING, NULL], any: undefined },
  'apply object': [APPLY_OBJECT],
  'JSON patch': [listOf(JSON_PATCH_OPERATION)],
};
const SIZE_MAX = 20_000;
