import { hasReason } from '../../api/errors';
import { HORIZONTAL_POD_AUTOSCALERS, type Resource } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { tell, tellingOf, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { select } from '../selection';
import { UsageError } from '../usage-error';
import { autoscalerDraft, checkLimits, type AutoscaleLimits } from './autoscale-draft';
import { post } from './create';
import { collectFound } from './found';

export interface AutoscaleOptions extends ChangeOptions, AutoscaleLimits {
  readonly name?: string;
}

/** Makes an autoscaler for each workload that is named. @throws UsageError, ApiError */
export const autoscale = async (
  context: CliContext,
  args: readonly string[],
  options: AutoscaleOptions,
): Promise<void> => {
  const limits = checkLimits(options);
  const telling = tellingOf(options);
  const { found, failure } = await select(context, args, options);
  const made = await collectFound(found, async ({ info, object }) => {
    await checkScalable(context, info);
    const { name, namespace = context.namespace ?? 'default' } = object.metadata;
    const draft = autoscalerDraft(options.name ?? name, { ...info, name }, limits);
    const metadata = context.isNamespaceForced ? { ...draft.metadata, namespace } : draft.metadata;
    const wanted = { ...draft, metadata } as ApiObject;
    const kind = HORIZONTAL_POD_AUTOSCALERS;
    const autoscaler = await post(context, telling, kind, namespace, wanted);
    const told = telling.dryRun === 'client' ? 'created' : 'autoscaled';
    tell(context, telling, { info: kind, object: autoscaler, told });
  });
  if (failure !== undefined) throw failure;
  if (made.failure !== undefined) throw made.failure;
  if (found.length === 0) throw new UsageError('no objects passed to autoscale');
};

/** Does the server say that objects of the kind have a scale? @throws UsageError when not */
const checkScalable = async (
  { client, signal }: CliContext,
  { group, version, plural, kind }: Resource,
): Promise<void> => {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const { resources } = await client
    .json<{ readonly resources: readonly { readonly name: string }[] }>({
      ...{ method: 'GET', path, signal },
    })
    .catch((error: unknown) => {
      if (hasReason(error, 'NotFound')) return { resources: [] };
      throw error;
    });
  if (resources.some(({ name }) => name === `${plural}/scale`)) return;
  throw new UsageError(
    `cannot autoscale a ${kind}: could not find scale subresource for ` +
      `${group}/${version}, Resource=${plural} in discovery information`,
  );
};
