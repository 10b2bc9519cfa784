import type { CliContext } from '../context';
import { formatViews, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import type { SelectOptions } from '../selection';
import { UsageError } from '../usage-error';
import { qualifiedKind } from './get';
import type { Revision } from './rollout-kinds';
import { rolloutTargets } from './rollout-targets';
import { templateText } from '../describe/pod-template';

export interface RolloutHistoryOptions extends SelectOptions {
  readonly revision?: string;
  readonly output?: string;
}

/** The revisions of workloads, or one of them in full. */
export const rolloutHistory = async (
  context: CliContext,
  args: readonly string[],
  options: RolloutHistoryOptions,
): Promise<void> => {
  const format = outputFormat(options.output);
  const what = 'no history viewer has been implemented';
  const chosen = { ...options, all: true };
  for (const { kind, info, object } of await rolloutTargets(context, args, chosen, what)) {
    const named = `${qualifiedKind(info)}/${object.metadata.name}`;
    const revisions = await kind.revisionsOf(context, object);
    const wanted = Number(options.revision ?? 0);
    const one = wanted === 0 ? undefined : revisions.find(({ number }) => number === wanted);
    if (wanted !== 0 && one === undefined) {
      throw new UsageError(`unable to find the specified revision: ${wanted}`);
    }
    const text = () =>
      one === undefined
        ? `${named} \n${historyText(revisions)}\n`
        : `${named} with revision #${wanted}\n${templateText(one.template)}\n`;
    const document = one?.object ?? revisions.map((each) => each.object);
    const names = [named];
    context.terminal.out.write(formatViews({ document, names, table: text }, format));
  }
};

const historyText = (revisions: readonly Revision[]): string =>
  formatHistory(
    revisions.map(({ number, object: { metadata } }) => [
      String(number),
      printable(metadata.annotations?.['kubernetes.io/change-cause'] ?? '<none>'),
    ]),
  );

/** kubectl sets these two columns two apart. */
const formatHistory = (rows: readonly (readonly string[])[]): string =>
  formatTable(['REVISION', 'CHANGE-CAUSE'], rows).replace(/^(\S+ *) (?=\S)/gm, '$1');
