import { FUNCTIONS, type TemplateFunction } from './functions';
import { TemplateError } from './template-error';
import { TOP } from './token-reader';
import { commandText, operandText, pipelineText } from './tree';
import type { Action, Body, Command, Operand, Pipeline, Tree } from './tree';
import {
  entriesOf,
  Float,
  isTrue,
  kindOf,
  memberOf,
  plainText,
  quoted,
  sliceOf,
  typeName,
  type Value,
} from './values';

/**
 * The text of a template for a document. Source: Go's text/template/exec.go, with missing keys as
 * kubectl has them. @throws TemplateError in Go's words, also when it takes too many steps or writes too much
 */
export const evaluate = (tree: Tree, document: Value): string =>
  new Evaluation(tree).text(document);

/** A value, and whether Go would still hold it as an interface: its errors tell the two apart. */
interface Held {
  readonly value: Value;
  readonly isBoxed: boolean;
}

/** Why a body was left before its end. */
type Leaving = 'break' | 'continue' | undefined;

interface Scope {
  readonly template: string;
  readonly variables: { readonly name: string; held: Held }[];
  readonly depth: number;
}

/** What an error is told to be at. */
interface Spot {
  readonly at: number;
  readonly text: () => string;
}

class Evaluation {
  private readonly pieces: string[] = [];
  private size = 0;
  private steps = 0;
  private spot: Spot | undefined;
  private scope: Scope = { template: TOP, variables: [], depth: 0 };

  constructor(private readonly tree: Tree) {}

  text(document: Value): string {
    const dot = { value: document, isBoxed: false };
    this.scope.variables.push({ name: '$', held: dot });
    this.body(this.tree.templates.get(TOP) ?? [], dot);
    return this.pieces.join('');
  }

  private body(body: Body, dot: Held): Leaving {
    for (const action of body) {
      const leaving = this.action(action, dot);
      if (leaving !== undefined) return leaving;
    }
    return undefined;
  }

  private action(action: Action, dot: Held): Leaving {
    this.count();
    switch (action.kind) {
      case 'text':
        this.write(action.text);
        return undefined;
      case 'print': {
        const value = this.pipeline(action.pipeline, dot);
        if (action.pipeline.variables.length === 0)
          this.write(value === undefined ? '<no value>' : plainText(value));
        return undefined;
      }
      case 'if':
      case 'with':
        return this.scoped(() => {
          const value = this.pipeline(action.pipeline, dot);
          if (!isTrue(value)) return this.body(action.otherwise ?? [], dot);
          return this.body(action.body, action.kind === 'if' ? dot : { value, isBoxed: false });
        });
      case 'range':
        return this.scoped(() => this.range(action, dot));
      case 'template':
        this.template(action, dot);
        return undefined;
      case 'break':
      case 'continue':
        return action.kind;
    }
  }

  /** Variables end with the action that they were declared in. */
  private scoped(work: () => Leaving): Leaving {
    const { variables } = this.scope;
    const mark = variables.length;
    const leaving = work();
    variables.length = mark;
    return leaving;
  }

  private range(
    { pipeline, body, otherwise = [] }: Extract<Action, { readonly kind: 'if' | 'with' | 'range' }>,
    dot: Held,
  ): Leaving {
    const value = this.pipeline(pipeline, dot);
    const { variables } = this.scope;
    const mark = variables.length;
    const names = pipeline.variables;
    let isEmpty = true;
    for (const [key, item] of this.itemsOf(value, pipeline)) {
      isEmpty = false;
      this.count();
      const values = names.length > 1 ? [key, item] : [item];
      names.forEach((name, index) => {
        const held = values[index] ?? item;
        if (pipeline.isAssignment) this.assign(name, held);
        else variables[mark - names.length + index] = { name, held };
      });
      const leaving = this.body(body, item);
      variables.length = mark;
      if (leaving === 'break') break;
    }
    return isEmpty ? this.body(otherwise, dot) : undefined;
  }

  private *itemsOf(value: Value, { variables }: Pipeline): Generator<readonly [Held, Held]> {
    const plain = (each: Value): Held => ({ value: each, isBoxed: false });
    const boxed = (each: Value): Held => ({ value: each, isBoxed: true });
    switch (kindOf(value)) {
      case 'slice':
        for (const [index, item] of sliceOf(value).entries()) yield [plain(index), boxed(item)];
        return;
      case 'map':
        for (const [key, item] of entriesOf(value)) yield [plain(key), boxed(item)];
        return;
      case 'int':
        if (variables.length > 1)
          this.fail(`can't use ${String(value)} to iterate over more than one variable`);
        for (let index = 0; index < Number(value); index++) yield [plain(index), plain(index)];
        return;
      case 'nil':
        return;
      default:
        this.fail(`range can't iterate over ${plainText(value)}`);
    }
  }

  private template(
    { at, name, pipeline }: Extract<Action, { readonly kind: 'template' }>,
    dot: Held,
  ): void {
    const body = this.tree.templates.get(name);
    const text = () =>
      `{{template ${quoted(name)}${pipeline === undefined ? '' : ` ${pipelineText(pipeline)}`}}}`;
    this.spot = { at, text };
    if (body === undefined) return this.fail(`template ${quoted(name)} not defined`);
    if (this.scope.depth >= TEMPLATE_DEPTH_MAX)
      this.fail(`exceeded maximum template depth (${TEMPLATE_DEPTH_MAX})`);
    const value = pipeline === undefined ? undefined : this.pipeline(pipeline, dot);
    const held = { value, isBoxed: false };
    const outer = this.scope;
    this.scope = {
      template: name,
      variables: [{ name: '$', held }],
      depth: outer.depth + 1,
    };
    this.body(body, held);
    this.scope = outer;
  }

  /** Never null: a nil that was asked for is as if it was not there. */
  private pipeline(pipeline: Pipeline, dot: Held): Value {
    this.spot = { at: pipeline.at, text: () => pipelineText(pipeline) };
    let last: { readonly value: Value } | undefined;
    for (const command of pipeline.commands)
      last = { value: this.command(command, dot, last).value ?? undefined };
    const held = { value: last?.value, isBoxed: false };
    for (const name of pipeline.variables) {
      if (pipeline.isAssignment) this.assign(name, held);
      else this.scope.variables.push({ name, held });
    }
    return held.value;
  }

  private assign(name: string, held: Held): void {
    const variable = this.scope.variables.findLast((each) => each.name === name);
    if (variable === undefined) this.fail(`undefined variable: ${name}`);
    else variable.held = held;
  }

  private command(command: Command, dot: Held, last: { readonly value: Value } | undefined): Held {
    this.count();
    const [first, ...others] = command.operands;
    const refuseArguments = (message: string) => {
      if (others.length > 0 || last !== undefined) this.fail(message);
    };
    if (first.kind === 'function')
      return this.call(first, () => commandText(command), others, dot, last);
    if (first.kind !== 'pipeline') this.spot = spotOf(first);
    const hasFields =
      first.kind === 'field' ||
      first.kind === 'chain' ||
      (first.kind === 'variable' && first.names.length > 0);
    if (!hasFields) refuseArguments(`can't give argument to non-function ${operandText(first)}`);
    if (first.kind === 'nil') this.fail('nil is not a command');
    const held = this.operand(first, dot);
    if (hasFields) refuseArguments(`${first.names.at(-1) ?? ''} is not a method but has arguments`);
    return held;
  }

  private operand(operand: Operand, dot: Held): Held {
    this.spot = spotOf(operand);
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return { value: null, isBoxed: true };
      case 'bool':
      case 'number':
      case 'string':
        return { value: operand.value, isBoxed: false };
      case 'float':
        return { value: new Float(operand.value), isBoxed: false };
      case 'field':
        return this.fields(dot, operand.names);
      case 'variable':
        return this.fields(this.variable(operand.name), operand.names);
      case 'chain': {
        const held = this.operand(operand.of, dot);
        this.spot = spotOf(operand);
        return this.fields(held, operand.names);
      }
      case 'function':
        return this.call(operand, () => operand.name, [], dot, undefined);
      case 'pipeline':
        return { value: this.pipeline(operand.pipeline, dot), isBoxed: false };
    }
  }

  private variable(name: string): Held {
    const found = this.scope.variables.findLast((each) => each.name === name);
    return found?.held ?? this.fail(`undefined variable: ${name}`);
  }

  private fields(from: Held, names: readonly string[]): Held {
    return names.reduce((held: Held, name) => {
      const { value, isBoxed } = held;
      if (value === undefined) return held;
      const type = isBoxed ? 'interface {}' : typeName(value);
      if (value === null) return this.fail(`nil pointer evaluating ${type}.${name}`);
      if (kindOf(value) !== 'map') return this.fail(`can't evaluate field ${name} in type ${type}`);
      return { value: memberOf(value, name), isBoxed: true };
    }, from);
  }

  private call(
    { at, name }: Extract<Operand, { readonly kind: 'function' }>,
    text: () => string,
    operands: readonly Operand[],
    dot: Held,
    last: { readonly value: Value } | undefined,
  ): Held {
    this.count();
    this.spot = { at, text: () => name };
    const called = FUNCTIONS.get(name);
    if (called === undefined) return this.fail(`${quoted(name)} is not a defined function`);
    this.checkCount(name, called, operands.length, last === undefined ? 0 : 1);
    const args: Value[] = [];
    for (const [index, operand] of operands.entries()) {
      const value = this.argument(operand, called.fixed[index] ?? 'any', dot);
      if (called.isDecided?.(value) === true) return { value, isBoxed: false };
      args.push(value);
    }
    if (last !== undefined) args.push(this.fitting(last, called.fixed[args.length] ?? 'any'));
    try {
      return { value: called.call(...args), isBoxed: false };
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.spot = { at, text };
      return this.fail(`error calling ${name}: ${error.message}`);
    }
  }

  private checkCount(
    name: string,
    { fixed, isVariadic }: TemplateFunction,
    given: number,
    lastCount: number,
  ): void {
    const got = given + lastCount;
    if (isVariadic && got < fixed.length)
      this.fail(`wrong number of args for ${name}: want at least ${fixed.length} got ${given}`);
    if (!isVariadic && got !== fixed.length)
      this.fail(`wrong number of args for ${name}: want ${fixed.length} got ${got}`);
  }

  private argument(operand: Operand, wanted: 'any' | 'string', dot: Held): Value {
    if (wanted === 'string') {
      this.spot = spotOf(operand);
      if (operand.kind === 'nil') this.fail('cannot assign nil to string');
      if (operand.kind === 'bool' || operand.kind === 'number' || operand.kind === 'float')
        this.fail(`expected string; found ${operandText(operand)}`);
    }
    return this.fitting(this.operand(operand, dot), wanted);
  }

  private fitting(given: Held | { readonly value: Value }, wanted: 'any' | 'string'): Value {
    const value = given.value ?? undefined;
    if (wanted === 'any' || kindOf(value) === 'string') return value;
    if (given.value === undefined) return this.fail('invalid value; expected string');
    const got = given.value === null ? 'interface {}' : typeName(value);
    return this.fail(`wrong type for value; expected string; got ${got}`);
  }

  private write(text: string): void {
    this.size += text.length;
    if (this.size > OUTPUT_MAX) this.fail(`the output is longer than ${OUTPUT_MAX} characters`);
    this.pieces.push(text);
  }

  private count(): void {
    if (++this.steps > STEPS_MAX) this.fail(`the template takes more than ${STEPS_MAX} steps`);
  }

  private fail(message: string): never {
    const { spot } = this;
    const name = this.scope.template;
    if (spot === undefined) throw new TemplateError(`template: ${name}: ${message}`);
    const before = this.tree.source.slice(0, spot.at);
    const lines = before.split('\n');
    const column = Buffer.byteLength(lines.at(-1) ?? '');
    throw new TemplateError(
      `template: ${TOP}:${lines.length}:${column}: executing ${quoted(name)} at <${spot.text()}>: ${message}`,
    );
  }
}

const spotOf = (operand: Operand): Spot => ({
  at: operand.at,
  text: () => operandText(operand),
});

const STEPS_MAX = 3_000_000;
const OUTPUT_MAX = 64 * 1024 * 1024;
const TEMPLATE_DEPTH_MAX = 500;
