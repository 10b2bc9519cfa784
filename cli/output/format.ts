import { toYaml } from '../../api/yaml/write';
import { readWithin } from '../../lib/files';
import { canonicalJson } from '../../lib/json';
import { UsageError } from '../usage-error';
import { printableJson } from './terminal';
import { customColumns, customColumnsOfFile } from './custom-columns';
import { goTemplate } from './go-template';
import { parseJsonPath } from './jsonpath';
import { TEMPLATE_FORMATS } from './template-flag';

const FORMATS = ['json', 'name', 'wide', 'yaml'] as const;

/** A format with an argument: `jsonpath={.metadata.name}`. */
export interface Template {
  readonly render: (document: unknown) => string;
}

export type OutputFormat = (typeof FORMATS)[number] | 'table' | Template;

/** What `-o` asks for; a table when it was not given. @throws UsageError */
export const outputFormat = (value: string | undefined): OutputFormat => {
  if (value === undefined || value === '') return 'table';
  const known = FORMATS.find((format) => format === value) ?? templateOf(value);
  if (known !== undefined) return known;
  throw new UsageError(
    `unable to match a printer suitable for the output format "${value}", allowed formats are: ${ALLOWED.join(',')}`,
  );
};

const templateOf = (value: string): Template | undefined => {
  const [name, argument] = split(value);
  const make = Object.hasOwn(TEMPLATES, name) ? TEMPLATES[name] : undefined;
  if (make === undefined) return undefined;
  if ((argument ?? '') === '' && TEMPLATE_FORMATS.has(name)) {
    throw new UsageError('template format specified but no template given');
  }
  return { render: make(argument ?? '') };
};

/** `jsonpath={.a}`, `jsonpath-file=x`, `custom-columns=A:.a`: an equals sign may be in the argument. */
const split = (value: string): readonly [string, string?] => {
  const equals = value.indexOf('=');
  return equals < 0 ? [value] : [value.slice(0, equals), value.slice(equals + 1)];
};

const columnsOf = (table: (objects: readonly unknown[]) => string) => (document: unknown) =>
  table(itemsOf(document));

const itemsOf = (document: unknown): readonly unknown[] => {
  if (Array.isArray(document)) return document as readonly unknown[];
  const { kind = '', items } = document as { readonly kind?: string; readonly items?: unknown };
  return kind.endsWith('List') && Array.isArray(items) ? items : [document];
};

const TEMPLATES: Readonly<Record<string, (argument: string) => (document: unknown) => string>> = {
  'custom-columns': (spec) => columnsOf(customColumns(spec)),
  'custom-columns-file': (file) => columnsOf(customColumnsOfFile(readText(file))),
  'go-template': goTemplate,
  'go-template-file': (file) => goTemplate(readText(file)),
  jsonpath: (template) => parseJsonPath(template).render,
  'jsonpath-file': (file) => parseJsonPath(readText(file)).render,
  template: goTemplate,
  templatefile: (file) => goTemplate(readText(file)),
};

const readText = (file: string): string => {
  try {
    return readWithin(file, TEMPLATE_BYTES_MAX).toString();
  } catch (error) {
    throw new UsageError(`error reading the template ${file}: ${(error as Error).message}`);
  }
};

const TEMPLATE_BYTES_MAX = 1024 * 1024;

const ALLOWED = [...FORMATS, ...Object.keys(TEMPLATES)].sort();

/** The forms in which one thing can be printed. */
export interface Views {
  readonly document: unknown;
  /** `pod/web`, one for each thing. */
  readonly names: readonly string[];
  readonly table: (isWide: boolean) => string;
}

export const formatViews = ({ document, names, table }: Views, format: OutputFormat): string => {
  if (typeof format === 'object') return format.render(document);
  switch (format) {
    case 'json':
      return `${printableJson(canonicalJson(document, 4))}\n`;
    case 'yaml':
      return toYaml(document);
    case 'name':
      return names.map((name) => `${name}\n`).join('');
    case 'wide':
    case 'table':
      return table(format === 'wide');
  }
};

/** Objects as one document: the object itself when only it was asked for, else a `List`. */
export const listDocument = (items: readonly unknown[]): unknown => ({
  apiVersion: 'v1',
  items,
  kind: 'List',
  metadata: { resourceVersion: '' },
});
