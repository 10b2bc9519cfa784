import { apiVersionOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { toYaml } from '../../api/yaml';
import type { CliContext } from '../context';
import { masked, unifiedDiff } from '../output/object-diff';
import { printable } from '../output/terminal';
import { collectFound } from './found';
import { chosen, put, putOptionsOf, readWanted, type ApplyOptions, type Wanted } from './apply';
import { withoutManagedFields } from './get';

export interface DiffOptions extends ApplyOptions {
  readonly showManagedFields?: boolean;
}

/** A text of an object before and after, by the name that its file has. */
export interface Version {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/**
 * Shows how `apply` would change the cluster: resolves with 0 when it would not, with 1 when it would.
 * The server tells, by a dry run; nothing is written.
 */
export const diff = async (context: CliContext, options: DiffOptions): Promise<number> => {
  const how = { ...putOptionsOf(options), dryRun: 'server' } as const;
  const wanted = chosen(await readWanted(context, options), options.selector);
  const { found, failure } = await collectFound(wanted, (each) => put(context, each, how));
  const versions = found.map(([each, { live, object, outcome }]) =>
    versionOf(each, outcome === 'unchanged' ? object : live, object, options),
  );
  const changed = versions.filter(({ before, after }) => before !== after);
  if (changed.length > 0) await show(context, changed);
  if (failure !== undefined) throw failure;
  return changed.length > 0 ? 1 : 0;
};

const versionOf = (
  { info, object: given }: Wanted,
  live: ApiObject | undefined,
  merged: ApiObject,
  { showManagedFields }: DiffOptions,
): Version => {
  const { namespace = '', name } = given.metadata;
  const version = apiVersionOf(info).replace('/', '.');
  const [before, after] = masked(live ?? merged, merged).map((object) =>
    toYaml(showManagedFields === true ? object : withoutManagedFields(object)),
  );
  return {
    file: `${version}.${info.kind}.${namespace}.${name}`,
    before: live === undefined ? '' : (before ?? ''),
    after: after ?? '',
  };
};

const show = async (context: CliContext, versions: readonly Version[]): Promise<void> => {
  const external = process.env['DHOW_EXTERNAL_DIFF'] ?? process.env['KUBECTL_EXTERNAL_DIFF'];
  if (external !== undefined && external.trim() !== '') {
    const { showByProgram } = await import('../external-diff.js');
    return showByProgram(context, external, versions);
  }
  for (const { file, before, after } of versions) {
    const text = unifiedDiff(
      { name: `LIVE/${file}`, text: before },
      { name: `MERGED/${file}`, text: after },
    );
    context.terminal.out.write(printable(`diff -u -N LIVE/${file} MERGED/${file}\n${text}`));
  }
};
