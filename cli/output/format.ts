import { toYaml } from '../../api/yaml/write';
import { stringifyJson } from '../../lib/json';
import { UsageError } from '../usage-error';
import { printableJson } from './terminal';

const FORMATS = ['json', 'name', 'wide', 'yaml'] as const;

export type OutputFormat = (typeof FORMATS)[number] | 'table';

/** What `-o` asks for; a table when it was not given. @throws UsageError */
export const outputFormat = (value: string | undefined): OutputFormat => {
  if (value === undefined) return 'table';
  const known = FORMATS.find((format) => format === value);
  if (known !== undefined) return known;
  throw new UsageError(
    `unable to match a printer suitable for the output format "${value}", allowed formats are: ${FORMATS.join(',')}`,
  );
};

/** The forms in which one thing can be printed. */
export interface Views {
  readonly document: unknown;
  /** `pod/web`, one for each thing. */
  readonly names: readonly string[];
  readonly table: (isWide: boolean) => string;
}

export const formatViews = ({ document, names, table }: Views, format: OutputFormat): string => {
  switch (format) {
    case 'json':
      return `${printableJson(stringifyJson(document, 4))}\n`;
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
