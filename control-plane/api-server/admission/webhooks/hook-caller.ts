import { randomUUID } from 'node:crypto';
import { ApiError } from '../../../../api/errors';
import type { Clock } from '../../../../lib/clock';
import type { Log } from '../../../../lib/log';
import { formatTraceparent } from '../../../../lib/tracing/traceparent';
import type { Span } from '../../../../lib/tracing/tracing';
import { NOTHING_HELD } from '../../http/aside';
import type { Fields } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import { WebhookCallError, type CallOptions, type WebhookTarget } from '../../webhook-client';
import type { AdmissionAttributes } from '../attributes';
import { admissionRequest } from './admission-request';
import { CallingError, WebhookDenial } from './failures';
import type { Hook } from './hook';
import { InvalidReviewError, parseReview, reviewOf, reviewVersionOf } from './review';
import type { HookStep, WebhookMetrics } from './webhook-metrics';

/** Asks one webhook of whatever kind. */
export interface WebhookCalls {
  /** The JSON that it answers. @throws WebhookCallError */
  call(
    target: WebhookTarget,
    body: unknown,
    options: CallOptions,
    signal: AbortSignal,
  ): Promise<unknown>;
}

export interface HookCallerDeps {
  readonly calls: WebhookCalls;
  readonly metrics: WebhookMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Asks webhooks about requests, and holds their answers to what was asked. */
export class HookCaller {
  /** Of what fails and is let through a line is logged when it begins and when it ends. */
  private readonly failing = new Set<string>();

  constructor(private readonly deps: HookCallerDeps) {}

  /**
   * The operations by which a webhook wants the object changed; none when it is content, or when it
   * cannot be asked and that is to be ignored.
   * @throws WebhookDenial; ApiError when it cannot be asked and that counts as a refusal
   */
  async ask(
    hook: Hook,
    step: HookStep,
    asked: AdmissionAttributes,
    matched: ServedKind,
    signal: AbortSignal,
  ): Promise<readonly unknown[]> {
    const startMs = this.deps.clock.monotonicMs();
    const note = (code: number, isRejected: boolean, errorType = 'no_error') => {
      const seconds = (this.deps.clock.monotonicMs() - startMs) / 1000;
      const { operation } = asked;
      this.deps.metrics.observe({ hook: hook.name, step, operation, code, isRejected, seconds });
      if (isRejected) this.deps.metrics.reject(hook.name, step, operation, errorType, code);
    };
    using span = asked.span?.child(CALLS[step], { attributes: spanAttributes(hook, asked) });
    try {
      const patch = await this.answer({ hook, step, asked, matched, span }, signal);
      note(200, false);
      this.noteWorking(hook);
      return patch;
    } catch (error) {
      span?.fail(error instanceof Error ? error.message : String(error));
      if (!(error instanceof CallingError)) {
        const code = error instanceof ApiError ? error.code : 0;
        const isDenial = error instanceof WebhookDenial;
        note(code, true, isDenial ? 'no_error' : 'apiserver_internal_error');
        throw error;
      }
      note(error.code, !hook.failsOpen, 'calling_webhook_error');
      this.letThrough(hook, step, error, signal);
      return [];
    }
  }

  /** @throws CallingError, WebhookDenial, ApiError */
  private async answer(
    { hook, step, asked, matched, span }: Question,
    signal: AbortSignal,
  ): Promise<readonly unknown[]> {
    if (asked.isDryRun && !hook.allowsDryRun)
      throw new ApiError(
        'BadRequest',
        `admission webhook ${JSON.stringify(hook.name)} does not support dry run`,
      );
    const uid = randomUUID();
    span?.set({ UID: uid });
    const request = admissionRequest(asked, matched, uid);
    const version = this.versionOf(hook);
    const answer = await this.call(hook, reviewOf(version, request), { asked, span }, signal);
    const verdict = this.parsed(hook, answer, { version, uid, isMutating: step === 'admit' });
    asked.warnings.push(...verdict.warnings);
    for (const [key, value] of verdict.annotations) asked.annotate?.(`${hook.name}/${key}`, value);
    if (!verdict.isAllowed) throw new WebhookDenial(hook.name, verdict.result);
    return verdict.patch;
  }

  private versionOf(hook: Hook): string {
    try {
      return reviewVersionOf(hook.reviewVersions);
    } catch (error) {
      throw callingError(hook, `could not create admission objects: `, error, 400);
    }
  }

  private async call(
    { name, target, timeoutMs }: Hook,
    review: Fields,
    { asked: { aside = NOTHING_HELD }, span }: Pick<Question, 'asked' | 'span'>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const options = {
      timeoutMs,
      ...(span === undefined ? {} : { traceparent: formatTraceparent(span.context) }),
    };
    try {
      return await aside(() => this.deps.calls.call(target, review, options, signal));
    } catch (error) {
      if (!(error instanceof WebhookCallError)) throw error;
      const why = `failed to call webhook: ${error.message}`;
      throw new CallingError(name, why, error.code === 0 ? 503 : error.code, { cause: error });
    }
  }

  private parsed(hook: Hook, answer: unknown, expected: Parameters<typeof parseReview>[1]) {
    try {
      return parseReview(answer, expected);
    } catch (error) {
      throw callingError(hook, 'received invalid webhook response: ', error, 503);
    }
  }

  /** @throws ApiError unless the failure is to be ignored */
  private letThrough(hook: Hook, step: HookStep, error: CallingError, signal: AbortSignal): void {
    // Nobody waits for what was asked any more: that says nothing about the webhook.
    if (signal.aborted)
      throw new ApiError('Timeout', 'request did not complete within requested timeout');
    if (!hook.failsOpen) throw error.toApiError();
    this.deps.metrics.failOpen(hook.name, step);
    if (this.failing.has(hook.id) || this.failing.size >= FAILING_MAX) return;
    this.failing.add(hook.id);
    this.deps.log.warn({ webhook: hook.id, err: error }, 'webhook fails and is passed over');
  }

  private noteWorking(hook: Hook): void {
    if (this.failing.delete(hook.id))
      this.deps.log.info({ webhook: hook.id }, 'webhook answers again');
  }
}

/** What one webhook is asked, and the span of that. */
interface Question {
  readonly hook: Hook;
  readonly step: HookStep;
  readonly asked: AdmissionAttributes;
  readonly matched: ServedKind;
  readonly span: Span | undefined;
}

/** Source: upstream's plugin/webhook/mutating and validating, dispatcher.go. */
const spanAttributes = (
  { configuration, name }: Hook,
  { kind: { resource }, subresource, operation }: AdmissionAttributes,
) => ({
  ...{ configuration, webhook: name, subresource, operation },
  resource: `${resource.group}/${resource.version}, Resource=${resource.plural}`,
});

const CALLS: Readonly<Record<HookStep, string>> = {
  admit: 'Call mutating webhook',
  validating: 'Call validating webhook',
};

const callingError = ({ name }: Hook, what: string, error: unknown, code: number): Error => {
  if (!(error instanceof InvalidReviewError)) return error as Error;
  return new CallingError(name, `${what}${error.message}`, code, { cause: error });
};

const FAILING_MAX = 1000;
