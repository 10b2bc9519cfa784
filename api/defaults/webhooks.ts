import type * as admission from 'kubernetes-types/admissionregistration/v1';
import type { WebhookRule } from '../types';

/** Changes the webhooks in place. */
export const defaultMutatingWebhooks = ({
  webhooks,
}: admission.MutatingWebhookConfiguration): void => {
  for (const webhook of webhooks ?? []) {
    defaultWebhook(webhook);
    webhook.reinvocationPolicy ??= 'Never';
  }
};

/** Changes the webhooks in place. */
export const defaultValidatingWebhooks = ({
  webhooks,
}: admission.ValidatingWebhookConfiguration): void => {
  for (const webhook of webhooks ?? []) defaultWebhook(webhook);
};

const defaultWebhook = (webhook: admission.MutatingWebhook | admission.ValidatingWebhook): void => {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  for (const rule of (webhook.rules ?? []) as WebhookRule[]) rule.scope ??= '*';
  // A body may lack what its type promises.
  const client = webhook.clientConfig as admission.WebhookClientConfig | undefined;
  if (client?.service !== undefined) client.service.port ??= 443;
};
