import type { RequestMatcher } from '../matching';
import type { HookSource } from './hook';
import type { HookCaller } from './hook-caller';
import type { ConvertObject } from './versions';

/** What the two plugins for webhooks share. */
export interface WebhooksDeps {
  readonly mutating: HookSource;
  readonly validating: HookSource;
  readonly matcher: RequestMatcher;
  readonly caller: HookCaller;
  readonly convert: ConvertObject;
}
