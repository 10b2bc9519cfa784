import { UsageError } from '../../usage-error';
import { evaluate } from './evaluate';
import { FUNCTIONS } from './functions';
import { parseTemplate } from './parser';
import { TemplateError } from './template-error';
import { quoted } from './values';

/**
 * A template in Go's language, with the functions of text/template and kubectl's. Source: upstream's
 * cli-runtime/pkg/printers/template.go. @throws UsageError in kubectl's words
 */
export const goTemplate = (template: string): ((document: unknown) => string) => {
  const tree = asUsage(`error parsing template ${template}, `, () =>
    parseTemplate(template, NAMES),
  );
  const where = `error executing template ${quoted(template)}: `;
  return (document) => asUsage(where, () => evaluate(tree, document));
};

const asUsage = <T>(prefix: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new UsageError(prefix + error.message, { cause: error });
  }
};

const NAMES: ReadonlySet<string> = new Set(FUNCTIONS.keys());
