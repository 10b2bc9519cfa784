import { UsageError } from '../usage-error';
import { parseFieldPath, valueText } from './jsonpath';
import { formatTable } from './table';
import { printable } from './terminal';

/** `NAME:.metadata.name,IMAGE:.spec.containers[*].image` as a table of objects. @throws UsageError */
export const customColumns = (specification: string): ((objects: readonly unknown[]) => string) => {
  if (specification === '') {
    throw new UsageError('custom-columns format specified but no custom columns given');
  }
  return tableOf(specification.split(',').map(columnOf));
};

/** Of a file: a line of titles, and below each its path. @throws UsageError */
export const customColumnsOfFile = (content: string): ((objects: readonly unknown[]) => string) => {
  const [titles = [], paths = []] = content
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/));
  if (titles.length === 0 || titles.length !== paths.length) {
    throw new UsageError(
      `number of headers (${titles.length}) and field specifications (${paths.length}) don't match`,
    );
  }
  return tableOf(titles.map((title, i) => ({ title, find: parseFieldPath(paths[i] ?? '') })));
};

interface Column {
  readonly title: string;
  readonly find: (document: unknown) => readonly unknown[];
}

const columnOf = (text: string): Column => {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) {
    throw new UsageError(
      `unexpected custom-columns spec: ${text}, expected <header>:<json-path-expr>`,
    );
  }
  return { title: text.slice(0, colon), find: parseFieldPath(text.slice(colon + 1)) };
};

const tableOf =
  (columns: readonly Column[]) =>
  (objects: readonly unknown[]): string =>
    formatTable(
      columns.map(({ title }) => title),
      objects.map((object) => columns.map(({ find }) => cellOf(find(object)))),
    );

const cellOf = (values: readonly unknown[]): string => {
  const texts = values.filter((value) => value !== undefined && value !== null).map(valueText);
  return texts.length === 0 ? '<none>' : printable(texts.join(','));
};
