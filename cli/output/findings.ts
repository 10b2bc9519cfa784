import { formatViews, listDocument, outputFormat } from './format';
import { formatTable } from './table';

/** What a check says of this machine. */
export interface Finding {
  /** By which `--ignore-preflight-errors` names it: `swap`. */
  readonly check: string;
  /** An `error` stands in the way; a `warning` is for somebody to know. */
  readonly severity: 'ok' | 'warning' | 'error';
  readonly message: string;
  /** What mends it. */
  readonly remedy?: string;
}

/** For `-o`: the worst first in the table, all as they are elsewhere. @throws UsageError */
export const formatFindings = (findings: readonly Finding[], output: string | undefined): string =>
  formatViews(
    {
      document: listDocument(findings),
      names: findings.map(({ check }) => `check/${check}`),
      table: () => tableOf(findings),
    },
    outputFormat(output),
  );

/** What is to be said before work begins: of errors and warnings, with what mends them. */
export const tellFindings = (findings: readonly Finding[]): readonly string[] =>
  findings
    .filter(({ severity }) => severity !== 'ok')
    .map(
      ({ check, severity, message, remedy }) =>
        `${severity} (${check}): ${message}${remedy === undefined ? '' : `\n    ${remedy}`}`,
    );

/** Errors that nobody has said to go on in spite of. */
export const standingErrors = (
  findings: readonly Finding[],
  ignored: readonly string[],
): readonly Finding[] =>
  findings.filter(
    ({ check, severity }) =>
      severity === 'error' && !ignored.includes('all') && !ignored.includes(check),
  );

const tableOf = (findings: readonly Finding[]): string =>
  formatTable(
    ['CHECK', 'SEVERITY', 'MESSAGE', 'REMEDY'],
    [...findings]
      .sort((a, b) => RANK[a.severity] - RANK[b.severity])
      .map(({ check, severity, message, remedy = '' }) => [check, severity, message, remedy]),
  );

const RANK = { error: 0, warning: 1, ok: 2 } as const;
