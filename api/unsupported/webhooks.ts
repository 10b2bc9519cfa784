import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from '../types';

/** There is no way to a service yet: calls fail, and the webhook's failure policy says what then. */
export const unsupportedInWebhooks = ({
  webhooks = [],
}: MutatingWebhookConfiguration | ValidatingWebhookConfiguration): readonly string[] =>
  webhooks.flatMap(({ clientConfig: { service } }, i) =>
    service === undefined
      ? []
      : [
          `webhooks[${i}].clientConfig.service: services are not supported by Dhow yet; calls of ` +
            'the webhook will fail. Use clientConfig.url',
        ],
  );
