import { jsonEqual } from '../../../../api/json-value';
import { become } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionPlugin } from '../admission-plugin';
import type { AdmissionAttributes } from '../attributes';
import { isExempt } from '../matching';
import { inRounds } from '../rounds';
import { isOfKind } from './admission-request';
import { meetsConditions } from './conditions';
import { internalError } from './failures';
import type { Hook } from './hook';
import { patched } from './patched';
import { asNew, inVersion, kindIn } from './versions';
import type { WebhooksDeps } from './deps';

/** Lets webhooks change what is to be, one after another. */
export const mutatingAdmissionWebhook = (deps: WebhooksDeps): AdmissionPlugin => ({
  name: 'MutatingAdmissionWebhook',
  handles: (asked) =>
    !isExempt(asked) && (!deps.mutating.isReady || deps.mutating.hooks().length > 0),
  ...inRounds(async (asked, round, signal) => {
    if (!deps.mutating.isReady) await deps.mutating.ready(signal);
    for (const hook of deps.mutating.hooks()) {
      if (!round.asks(hook.id)) continue;
      const matched = await deps.matcher.match(hook.criteria, asked, signal);
      if (matched === undefined) continue;
      const outcome = await change(deps, hook, asked, matched, signal);
      if (outcome === 'not asked') continue;
      if (outcome === 'changed') round.noteChange();
      if (hook.isReinvoked) round.noteReinvocable(hook.id);
    }
  }),
});

/** What the webhook has made of the object. */
const change = async (
  { caller, convert, judge }: WebhooksDeps,
  hook: Hook,
  asked: AdmissionAttributes,
  matched: ServedKind,
  signal: AbortSignal,
): Promise<'changed' | 'left' | 'not asked'> => {
  const isOwn = isOfKind(asked, asked.kind);
  const shown = isOwn && asked.operation === 'CREATE' ? asNew(asked) : asked;
  const sent = await inVersion(shown, matched, convert, signal);
  if (!(await meetsConditions(hook, sent, matched, judge))) return 'not asked';
  const operations = await caller.ask(hook, 'admit', sent, matched, signal);
  if (operations.length === 0) return 'left';
  const { object } = asked;
  if (object === undefined || sent.object === undefined)
    throw internalError(
      `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is not ` +
        'supported for this operation',
    );
  const next = patched(object, operations, {
    ...{
      who: `admission webhook ${JSON.stringify(hook.name)}`,
      kind: kindIn(sent.object, isOwn ? matched : undefined),
    },
    ...{ shown: sent.object, isNamedByServer: isOwn && asked.name === '' },
    ...(isOwn ? { stored: matched } : {}),
  });
  const own = matched === asked.kind || !isOwn ? next : await convert(next, asked.kind, { signal });
  const isChanged = !jsonEqual(own, object);
  if (isChanged) become(object, own);
  return isChanged ? 'changed' : 'left';
};
