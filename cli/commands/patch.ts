import { readYaml, YamlError } from '../../api/yaml';
import type { ApiObject } from '../../api/types';
import type { PatchType } from '../../client/api-client';
import { readWithin } from '../../lib/files';
import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { contentOf } from '../output/object-diff';
import { UsageError } from '../usage-error';

export interface PatchOptions extends ChangeOptions {
  readonly patch?: string;
  readonly patchFile?: string;
  readonly type?: string;
}

/** Changes fields of objects by a strategic, a merge or a JSON patch. */
export const patch = async (
  context: CliContext,
  args: readonly string[],
  options: PatchOptions,
): Promise<void> => {
  const type = TYPES[options.type ?? 'strategic'];
  if (type === undefined) {
    throw new UsageError(
      `--type must be one of [json merge strategic], not "${options.type ?? ''}"`,
    );
  }
  const body = bodyOf(options);
  await changeEach(context, args, options, () => ({
    patch: { type, body },
    told: (before, after) =>
      isSame(before, after, options.subresource === 'status') ? 'patched (no change)' : 'patched',
  }));
};

/** Controllers write meanwhile: only a patch of the status says anything about it. */
const isSame = (before: ApiObject, after: ApiObject, isOfStatus: boolean): boolean =>
  before.metadata.resourceVersion === after.metadata.resourceVersion ||
  (!isOfStatus && contentOf(before) === contentOf(after));

const bodyOf = ({ patch: given, patchFile }: PatchOptions): unknown => {
  if ((given === undefined) === (patchFile === undefined)) {
    throw new UsageError('must specify --patch or --patch-file, one of them');
  }
  const text = given ?? readWithin(patchFile ?? '', PATCH_BYTES_MAX);
  try {
    return readYaml(text)[0]?.value;
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new UsageError(`unable to parse the patch: ${error.message}`, { cause: error });
  }
};

const TYPES: Readonly<Record<string, PatchType>> = {
  json: 'json',
  merge: 'merge',
  strategic: 'strategic',
};

const PATCH_BYTES_MAX = 4 * 1024 * 1024;
