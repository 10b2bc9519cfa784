import type { ReplicaSet } from '../../api/types';
import type { CliContext } from '../context';
import { formatViews, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import type { SelectOptions } from '../selection';
import { UsageError } from '../usage-error';
import { templateText } from './template-text';
import { revisionsOf, rolloutTargets } from './rollout-targets';

export interface RolloutHistoryOptions extends SelectOptions {
  readonly revision?: string;
  readonly output?: string;
}

/** The revisions of deployments, or one of them in full. */
export const rolloutHistory = async (
  context: CliContext,
  args: readonly string[],
  options: RolloutHistoryOptions,
): Promise<void> => {
  const format = outputFormat(options.output);
  const what = 'no history viewer has been implemented';
  for (const deployment of await rolloutTargets(context, args, options, what)) {
    const { name } = deployment.metadata;
    const revisions = await revisionsOf(context, deployment);
    const wanted = Number(options.revision ?? 0);
    const set = wanted === 0 ? undefined : revisions.find(([revision]) => revision === wanted)?.[1];
    if (wanted !== 0 && set === undefined) {
      throw new UsageError(`unable to find the specified revision: ${wanted}`);
    }
    const text = () =>
      set === undefined
        ? `deployment.apps/${name} \n${historyText(revisions)}\n`
        : `deployment.apps/${name} with revision #${wanted}\n${templateText(set.spec.template ?? {})}\n`;
    const document = set ?? revisions.map(([, each]) => each);
    const names = [`deployment.apps/${name}`];
    context.terminal.out.write(formatViews({ document, names, table: text }, format));
  }
};

const historyText = (revisions: readonly (readonly [number, ReplicaSet])[]): string =>
  formatHistory(
    revisions.map(([revision, { metadata }]) => [
      String(revision),
      printable(metadata.annotations?.['kubernetes.io/change-cause'] ?? '<none>'),
    ]),
  );

/** kubectl sets these two columns two apart. */
const formatHistory = (rows: readonly (readonly string[])[]): string =>
  formatTable(['REVISION', 'CHANGE-CAUSE'], rows).replace(/^(\S+ *) (?=\S)/gm, '$1');
