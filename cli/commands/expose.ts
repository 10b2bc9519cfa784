import { SERVICES } from '../../api/resources';
import { tell, tellingOf, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { select } from '../selection';
import { post } from './create';
import { collectFound } from './found';
import { serviceDraft, type ServiceWishes } from './service-draft';

export type ExposeOptions = Omit<ChangeOptions, 'selector' | 'all' | 'fieldSelector'> &
  ServiceWishes;

/** Makes a service that leads to the pods of each object. */
export const expose = async (
  context: CliContext,
  args: readonly string[],
  options: ExposeOptions,
): Promise<void> => {
  const telling = tellingOf(options);
  const { selector: _selector, ...selecting } = options;
  const { found, failure } = await select(context, args, selecting);
  const exposed = await collectFound(found, async ({ object }) => {
    const draft = serviceDraft(object, options);
    const { namespace = 'default' } = object.metadata;
    const made = await post(context, telling, SERVICES, namespace, draft);
    tell(context, telling, { info: SERVICES, object: made, told: 'exposed' });
  });
  if (exposed.failure !== undefined) throw exposed.failure;
  if (failure !== undefined) throw failure;
};
