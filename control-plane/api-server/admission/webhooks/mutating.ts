import { cloneJson, jsonEqual } from '../../../../api/json-value';
import { become, type MutableObject } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionPlugin } from '../admission-plugin';
import type { AdmissionAttributes } from '../attributes';
import { isExempt } from '../matching';
import { isOfKind } from './admission-request';
import { meetsConditions } from './conditions';
import { internalError } from './failures';
import type { Hook } from './hook';
import { patched } from './patched';
import { inVersion } from './versions';
import type { WebhooksDeps } from './deps';

/**
 * Lets webhooks change what is to be, one after another. What one of them has changed all plugins
 * see again, and those webhooks that want to; never a third time.
 */
export const mutatingAdmissionWebhook = (deps: WebhooksDeps): AdmissionPlugin => {
  const rounds = new WeakMap<AdmissionAttributes, Round>();
  const run = async (asked: AdmissionAttributes, round: Round, signal: AbortSignal) => {
    const before = round.isChanged;
    for (const hook of deps.mutating.hooks()) {
      if (round.again !== undefined && !round.again.has(hook.id)) continue;
      const matched = await deps.matcher.match(hook.criteria, asked, signal);
      if (matched === undefined) continue;
      const outcome = await change(deps, hook, asked, matched, signal);
      if (outcome === 'not asked') continue;
      if (outcome === 'changed') noteChange(round);
      if (hook.isReinvoked) round.invoked.add(hook.id);
    }
    round.output = asked.object === undefined ? undefined : cloneJson(asked.object);
    return round.isChanged !== before;
  };
  return {
    name: 'MutatingAdmissionWebhook',
    handles: (asked) =>
      !isExempt(asked) && (!deps.mutating.isReady || deps.mutating.hooks().length > 0),
    admit: async (asked, signal) => {
      if (!deps.mutating.isReady) await deps.mutating.ready(signal);
      const round: Round = { isChanged: false, invoked: new Set(), due: new Set() };
      rounds.set(asked, round);
      return run(asked, round, signal);
    },
    needsAnotherRound: (asked) => rounds.get(asked)?.isChanged === true,
    readmit: async (asked, signal) => {
      const first = rounds.get(asked);
      if (first === undefined) return false;
      // Other plugins have changed it after all webhooks: then all that were asked are due.
      const isOther = !jsonEqual(asked.object, first.output);
      const again = new Set([...first.due, ...(isOther ? first.invoked : [])]);
      return run(asked, { isChanged: false, invoked: new Set(), due: new Set(), again }, signal);
    },
  };
};

interface Round {
  isChanged: boolean;
  /** That want to be asked again, and were asked since the last change. */
  readonly invoked: Set<string>;
  /** That want to be asked again, and were asked before a change of others. */
  readonly due: Set<string>;
  /** What the last webhook left. */
  output?: MutableObject | undefined;
  /** Absent in the first round. */
  readonly again?: ReadonlySet<string>;
}

const noteChange = (round: Round): void => {
  round.isChanged = true;
  for (const id of round.invoked) round.due.add(id);
  round.invoked.clear();
};

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
    ...{ hookName: hook.name, kind: kindOf(sent.object, isOwn ? matched : undefined) },
    ...{ shown: sent.object, isNamedByServer: isOwn && asked.name === '' },
    ...(isOwn ? { stored: matched } : {}),
  });
  const own = matched === asked.kind || !isOwn ? next : await convert(next, asked.kind, signal);
  const isChanged = !jsonEqual(own, object);
  if (isChanged) become(object, own);
  return isChanged ? 'changed' : 'left';
};

/** What is new has nothing yet that the server gives it. */
const asNew = (asked: AdmissionAttributes): AdmissionAttributes => {
  if (asked.object === undefined) return asked;
  const { uid: _uid, generation: _generation, ...metadata } = asked.object.metadata;
  const object: MutableObject = {
    ...asked.object,
    metadata: { ...metadata, creationTimestamp: null },
  };
  if (asked.name === '') Reflect.deleteProperty(object.metadata, 'name');
  return { ...asked, object };
};

/** By which an object is decoded: also what is no stored kind, as a `Scale`. */
const kindOf = ({ apiVersion, kind }: MutableObject, stored: ServedKind | undefined) => {
  if (stored !== undefined) return stored.resource;
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return { group, version, kind };
};
