import type { RequestMatcher } from '../matching';
import type { AccessJudge } from '../policies/request-values';
import type { HookSource } from './hook';
import type { HookCaller } from './hook-caller';
import type { ConvertObject } from './versions';

/** What the two plugins for webhooks share. */
export interface WebhooksDeps {
  readonly mutating: HookSource;
  readonly validating: HookSource;
  readonly matcher: RequestMatcher;
  readonly caller: HookCaller;
  /** Of what the user may do, for match conditions. */
  readonly judge: AccessJudge;
  readonly convert: ConvertObject;
}
