import { compileConditions, type CompiledCondition } from '../../../../api/policies/compile';
import { MUTATING_WEBHOOKS, qualifiedName, VALIDATING_WEBHOOKS } from '../../../../api/resources';
import type {
  ApiObject,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../../../api/types';
import type { WatchCaches } from '../../../store/watch-cache';
import type { WebhookTarget } from '../../webhook-client';
import type { MatchCriteria } from '../matching';

/** One webhook of a configuration, as it is called. */
export interface Hook {
  /** Of all webhooks: the same as long as its configuration keeps it. */
  readonly id: string;
  readonly name: string;
  /** The name of what it is part of. */
  readonly configuration: string;
  readonly target: WebhookTarget;
  readonly criteria: MatchCriteria;
  /** All must hold, or it is not asked. */
  readonly conditions: readonly CompiledCondition[];
  readonly timeoutMs: number;
  /** What it fails at is let through. */
  readonly failsOpen: boolean;
  readonly allowsDryRun: boolean;
  /** Is it asked again when others have changed the object after it? */
  readonly isReinvoked: boolean;
  /** Of AdmissionReview, in the order of its preference. */
  readonly reviewVersions: readonly string[];
}

/** The webhooks that there are, in the order of their configurations' names. */
export interface HookSource {
  hooks(): readonly Hook[];
  /** Is anything known of them yet? Until then none may be passed over. */
  readonly isReady: boolean;
  /** Resolves when it is. */
  ready(signal: AbortSignal): Promise<void>;
}

export const mutatingHooks = (caches: WatchCaches): HookSource =>
  hookSource(caches, qualifiedName(MUTATING_WEBHOOKS));

export const validatingHooks = (caches: WatchCaches): HookSource =>
  hookSource(caches, qualifiedName(VALIDATING_WEBHOOKS));

const hookSource = (caches: WatchCaches, stored: string): HookSource => {
  const known = new WeakMap<ApiObject, readonly Hook[]>();
  const hooksIn = (object: ApiObject): readonly Hook[] => {
    const hooks = known.get(object) ?? hooksOf(object);
    known.set(object, hooks);
    return hooks;
  };
  return {
    hooks: () =>
      caches
        .of(stored)
        .list()
        .items.flatMap(({ object }) => hooksIn(object)),
    get isReady() {
      return caches.of(stored).resourceVersion > 0;
    },
    ready: (signal) => caches.of(stored).ready(signal),
  };
};

const hooksOf = (
  configuration: MutatingWebhookConfiguration | ValidatingWebhookConfiguration,
): readonly Hook[] => {
  const counts = new Map<string, number>();
  return (configuration.webhooks ?? []).map((webhook) => {
    const count = counts.get(webhook.name) ?? 0;
    counts.set(webhook.name, count + 1);
    return hookOf(webhook, configuration.metadata.name, count);
  });
};

const hookOf = (
  webhook: MutatingWebhook | ValidatingWebhook,
  configuration: string,
  count: number,
): Hook => {
  const { name, clientConfig, rules = [], timeoutSeconds = 10, sideEffects } = webhook;
  const { namespaceSelector, objectSelector, matchPolicy } = webhook;
  return {
    ...{ id: `${configuration}/${name}/${count}`, name, configuration },
    ...{ target: clientConfig, timeoutMs: timeoutSeconds * 1000 },
    criteria: {
      rules,
      ...(matchPolicy === undefined ? {} : { matchPolicy }),
      ...(namespaceSelector === undefined ? {} : { namespaceSelector }),
      ...(objectSelector === undefined ? {} : { objectSelector }),
    },
    conditions: compileConditions(webhook.matchConditions ?? []),
    failsOpen: webhook.failurePolicy === 'Ignore',
    allowsDryRun: sideEffects === 'None' || sideEffects === 'NoneOnDryRun',
    isReinvoked: 'reinvocationPolicy' in webhook && webhook.reinvocationPolicy === 'IfNeeded',
    reviewVersions: webhook.admissionReviewVersions,
  };
};
