/* A template that was read, and each part of it as text, as errors quote it. Source: Go's
   text/template/parse/node.go. */

interface Place {
  /** Where it stands in the template, in UTF-16 units. */
  readonly at: number;
}

export type Operand = Place &
  (
    | { readonly kind: 'dot' | 'nil' }
    | { readonly kind: 'bool'; readonly value: boolean }
    | { readonly kind: 'number'; readonly text: string; readonly value: number | bigint }
    /** A number with a point or an exponent, whole or not. */
    | { readonly kind: 'float'; readonly text: string; readonly value: number }
    | { readonly kind: 'string'; readonly text: string; readonly value: string }
    | { readonly kind: 'field'; readonly names: readonly string[] }
    | { readonly kind: 'variable'; readonly name: string; readonly names: readonly string[] }
    | { readonly kind: 'chain'; readonly of: Operand; readonly names: readonly string[] }
    | { readonly kind: 'function'; readonly name: string }
    | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  );

export interface Command extends Place {
  readonly operands: readonly [Operand, ...Operand[]];
}

export interface Pipeline extends Place {
  readonly variables: readonly string[];
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
}

export type Body = readonly Action[];

export type Action = Place &
  (
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'print'; readonly pipeline: Pipeline }
    | {
        readonly kind: 'if' | 'with' | 'range';
        readonly pipeline: Pipeline;
        readonly body: Body;
        readonly otherwise?: Body;
      }
    | { readonly kind: 'template'; readonly name: string; readonly pipeline?: Pipeline }
    | { readonly kind: 'break' | 'continue' }
  );

export interface Tree {
  readonly source: string;
  /** That of the whole is `output`. */
  readonly templates: ReadonlyMap<string, Body>;
}

export const operandText = (operand: Operand): string => {
  switch (operand.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'bool':
      return String(operand.value);
    case 'number':
    case 'float':
    case 'string':
      return operand.text;
    case 'field':
      return fieldsText(operand.names);
    case 'variable':
      return `${operand.name}${fieldsText(operand.names)}`;
    case 'chain':
      return `${operandText(operand.of)}${fieldsText(operand.names)}`;
    case 'function':
      return operand.name;
    case 'pipeline':
      return `(${pipelineText(operand.pipeline)})`;
  }
};

const fieldsText = (names: readonly string[]): string => names.map((name) => `.${name}`).join('');

export const commandText = ({ operands }: Command): string => operands.map(operandText).join(' ');

export const pipelineText = ({ variables, isAssignment, commands }: Pipeline): string => {
  const prefix =
    variables.length === 0 ? '' : `${variables.join(', ')} ${isAssignment ? '=' : ':='} `;
  return prefix + commands.map(commandText).join(' | ');
};
