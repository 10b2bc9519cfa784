import type { ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { splitChanges } from '../targets';
import { UsageError } from '../usage-error';
import { changeContainers, containersOf, isNamed } from './set-template';

/** Gives containers other images: `nginx=nginx:1.28`, `*=nginx:1.28`. */
export const setImage = async (
  context: CliContext,
  args: readonly string[],
  options: ChangeOptions,
): Promise<void> => {
  const { targets, changes } = splitChanges(args, 'image', options);
  if (changes.length === 0) throw new UsageError('at least one image update is required');
  const images = changes.map((change) => {
    const [, container, image] = /^([^=]+)=(.+)$/.exec(change) ?? [];
    if (container === undefined || image === undefined) {
      throw new UsageError(`invalid image update "${change}", expected CONTAINER=IMAGE`);
    }
    return { container, image };
  });
  await changeContainers(context, targets, options, 'image updated', (container, object) => {
    const missing = images.find(
      (each) => !containersOf(object).some(([other]) => isNamed(other, each.container)),
    );
    if (missing !== undefined) {
      throw new UsageError(`unable to find container named "${missing.container}"`);
    }
    const wanted = images.filter((each) => isNamed(container, each.container)).at(-1);
    return wanted === undefined ? undefined : { image: wanted.image };
  });
};
