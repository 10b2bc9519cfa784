import { NOTHING_HELD } from '../../http/aside';
import type { AdmissionPlugin } from '../admission-plugin';
import { isExempt } from '../matching';
import { meetsConditions } from './conditions';
import type { WebhooksDeps } from './deps';
import { inVersion } from './versions';

/** Lets webhooks refuse what is to be. All are asked at once; the first in order that refuses is heard. */
export const validatingAdmissionWebhook = ({
  validating,
  matcher,
  caller,
  judge,
  convert,
}: WebhooksDeps): AdmissionPlugin => ({
  name: 'ValidatingAdmissionWebhook',
  handles: (asked) => !isExempt(asked) && (!validating.isReady || validating.hooks().length > 0),
  validate: async (asked, signal) => {
    if (!validating.isReady) await validating.ready(signal);
    const calls: (() => Promise<unknown>)[] = [];
    for (const hook of validating.hooks()) {
      const matched = await matcher.match(hook.criteria, asked, signal);
      if (matched === undefined) continue;
      const sent = await inVersion(asked, matched, convert, signal);
      if (await meetsConditions(hook, sent, matched, judge))
        calls.push(() => caller.ask(hook, 'validating', sent, matched, signal));
    }
    if (calls.length === 0) return;
    const { aside = NOTHING_HELD } = asked;
    const results = await aside(() => Promise.allSettled(calls.map((call) => call())));
    const refused = results.find((result) => result.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
  },
});
