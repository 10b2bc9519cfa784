import { all, shown, tests, type Effects } from './effect';
import { OBJECT } from './metadata';

const MATCHING = tests('control-plane/api-server/admission/matching/matching.test.ts');
const HOOKS = tests('control-plane/api-server/admission/webhooks/webhooks.test.ts');
const MUTATING = tests('control-plane/api-server/admission/webhooks/mutating.test.ts');
const CLIENT = tests('test/integration/webhook-client.test.ts');

const TOLD = shown(HOOKS('is who asks for what, with the object'));
const RULES = shown(MATCHING('tells by a rule whether it is for %s'));
const WEBHOOK = {
  admissionReviewVersions: shown(HOOKS('is the version of a review that it knows')),
  clientConfig: TOLD,
  failurePolicy: shown(
    HOOKS('refuses what it was to judge, or lets it through, as its policy says'),
  ),
  matchConditions: shown(HOOKS('is asked only when its conditions hold')),
  matchPolicy: shown(
    MATCHING('finds the version that the rules name, unless they must name the one asked for'),
  ),
  name: shown(HOOKS('comes to the caller as the webhook said it: %j')),
  namespaceSelector: shown(MATCHING('selects by the labels of the namespace')),
  objectSelector: shown(MATCHING('selects by the labels that the object has or had')),
  rules: RULES,
  sideEffects: shown(HOOKS('is not for webhooks that have side effects')),
  timeoutSeconds: shown(
    HOOKS('is who asks for what, with the object'),
    CLIENT('ends a call in time when the answer stops half-way'),
  ),
};

export const WEBHOOK_EFFECTS: Effects = {
  MutatingWebhookConfiguration: {
    ...OBJECT,
    webhooks: shown(
      MUTATING('goes through one webhook after another, by the names of their configurations'),
    ),
  },
  ValidatingWebhookConfiguration: {
    ...OBJECT,
    webhooks: shown(HOOKS('is that of the first in order, and all are asked')),
  },
  MutatingWebhook: {
    ...WEBHOOK,
    reinvocationPolicy: shown(
      MUTATING('is seen again by those who want to see what others did after them'),
    ),
  },
  ValidatingWebhook: WEBHOOK,
  RuleWithOperations: all(['apiGroups', 'apiVersions', 'operations', 'resources', 'scope'], RULES),
  WebhookClientConfig: {
    caBundle: shown(CLIENT('trusts the authority of the configuration and no other')),
    service: shown(
      'test/integration/admission-webhooks.test.ts: asks a webhook behind a service where its endpoints are',
      HOOKS('says why it does not reach a service, as soon as that changes'),
    ),
    url: shown(CLIENT('sends JSON and returns what is answered, over one connection')),
  },
  ServiceReference: all(
    ['name', 'namespace', 'path', 'port'],
    shown(CLIENT('reaches a service by its name')),
  ),
};
