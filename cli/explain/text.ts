import { printable } from '../output/terminal';
import type { GroupVersionKind, Schema, Schemas } from './schema';

/** The lines that say which kind is explained. */
export const kindText = ({ group, version, kind }: GroupVersionKind): string =>
  `${group === '' ? '' : `GROUP:      ${group}\n`}KIND:       ${kind}\nVERSION:    ${version}\n\n`;

/** What a schema, or the field `name` that it is of, means, and its fields. Pure. */
export const explanation = (
  schemas: Schemas,
  schema: Schema,
  { name, isRecursive }: Asked,
): string => {
  const fields = schemas.fieldsOf(schema);
  const hasFields = Object.keys(fields).length > 0;
  const text = [
    name === undefined ? '' : fieldHead(schemas, schema, name),
    'DESCRIPTION:\n',
    descriptionText(schemas.descriptionsOf(schema)),
    hasFields ? 'FIELDS:\n' : '',
    hasFields ? fieldsText(schemas, schema, isRecursive, 1, [schemas.elementOf(schema)]) : '',
    '\n',
  ].join('');
  return printable(text);
};

export interface Asked {
  readonly name: string | undefined;
  readonly isRecursive: boolean;
}

const fieldHead = (schemas: Schemas, schema: Schema, name: string): string => {
  const { enum: values = [] } = schemas.referred(schema);
  const choices =
    values.length === 0
      ? '\n'
      : `ENUM:\n${values.map((value) => `    ${choiceText(value)}\n`).join('')}`;
  return `FIELD: ${name} <${schemas.typeOf(schema)}>\n${choices}\n`;
};

const descriptionText = (texts: readonly string[]): string =>
  texts.length === 0
    ? '    <empty>\n'
    : `${texts.map((text) => wrapped(text, '    ')).join('')}    \n`;

const fieldsText = (
  schemas: Schemas,
  schema: Schema,
  isRecursive: boolean,
  depth: number,
  above: readonly Schema[],
): string => {
  const indent = '  '.repeat(depth);
  const required = schemas.requiredOf(schema);
  return Object.entries(schemas.fieldsOf(schema))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => {
      const { enum: values = [] } = schemas.referred(field);
      const head = `${indent}${name}\t<${schemas.typeOf(field)}>${required.has(name) ? REQUIRED : ''}\n`;
      const choices = values.length === 0 ? '' : `${indent}enum: ${shortList(values)}\n`;
      if (!isRecursive) {
        const [text = '<no description>'] =
          field.description === undefined ? [] : [field.description];
        return `${head}${choices}${wrapped(text, `${indent}  `)}\n`;
      }
      // A type may hold itself: a schema of JSON schemas does.
      const type = schemas.elementOf(field);
      const isKnown = above.includes(type) || depth >= DEPTH_MAX;
      const inner = isKnown ? '' : fieldsText(schemas, field, true, depth + 1, [...above, type]);
      return head + choices + inner;
    })
    .join('');
};

const shortList = (values: readonly unknown[]): string => {
  const shown = values.slice(0, SHORT_LIST).map(choiceText).join(', ');
  return values.length > SHORT_LIST ? `${shown}, ....` : shown;
};

const choiceText = (value: unknown): string => (value === '' ? '""' : String(value));

/** Lines of at most 80 columns; those of the text stay lines. */
const wrapped = (text: string, indent: string): string =>
  text
    .split('\n')
    .flatMap((line) => wrapLine(line, WIDTH - indent.length))
    .map((line) => `${indent}${line}\n`)
    .join('');

const wrapLine = (line: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let current = '';
  for (const word of line.trimEnd().split(/(?<=\S)\s+/)) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (current !== '' && longer.length > width) {
      lines.push(current);
      current = word;
    } else current = longer;
  }
  return [...lines, current];
};

const REQUIRED = ' -required-';
const WIDTH = 80;
const SHORT_LIST = 4;
const DEPTH_MAX = 20;
