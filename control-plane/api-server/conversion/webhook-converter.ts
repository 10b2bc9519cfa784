import { randomUUID } from 'node:crypto';
import { ApiError, type Status } from '../../../api/errors';
import {
  asConverted,
  ConversionFault,
  conversionReview,
  conversionReviewVersionOf,
  convertedIn,
  type ConversionQuestion,
} from '../../../api/custom-resources/conversion';
import type { ApiObject } from '../../../api/types';
import { Semaphore } from '../../../lib/async/semaphore';
import { timedController } from '../../../lib/async/timed-controller';
import type { Clock } from '../../../lib/clock';
import { WebhookCallError, type CallOptions, type WebhookTarget } from '../webhook-client';

/** Objects could not be converted. It has no reason, as upstream's has none. */
export class ConversionError extends ApiError {
  constructor(message: string, options: ErrorOptions = {}) {
    super('InternalError', message, options);
  }

  override toStatus(): Status {
    const { reason: _none, ...status } = super.toStatus();
    return status;
  }
}

/** Was there no answer at all? Then it says nothing about the objects. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof ConversionError && error.cause instanceof WebhookCallError;

/** Asks one webhook. @throws WebhookCallError */
export type CallWebhook = (
  target: WebhookTarget,
  body: unknown,
  options: CallOptions,
  signal: AbortSignal,
) => Promise<unknown>;

export interface ConverterDeps {
  readonly call: CallWebhook;
  readonly clock: Clock;
}

/** What of a definition says how its objects are converted. */
export interface ConversionRules {
  readonly target: WebhookTarget;
  readonly reviewVersions: readonly string[];
  /** `stable.example.com/v1`: others are none of the definition's. */
  readonly apiVersions: ReadonlySet<string>;
}

/**
 * Converts the objects of one definition by its webhook. The webhook is code of somebody else: calls of
 * one definition have places of their own, and a deadline that is upstream's.
 */
export class WebhookConverter {
  private readonly places = new Semaphore(CALLS_MAX);
  private waitingCount = 0;
  private failedAtMs: number | undefined;

  constructor(
    private readonly rules: ConversionRules,
    private readonly deps: ConverterDeps,
  ) {}

  /** Was there no answer to the last call, not long ago? What can do without need not wait again. */
  get hasFailedLately(): boolean {
    const nowMs = this.deps.clock.monotonicMs();
    return this.failedAtMs !== undefined && nowMs - this.failedAtMs < LATELY_MS;
  }

  /** The objects in another version, in their order: all in one call. @throws ConversionError */
  async convert(
    objects: readonly ApiObject[],
    desiredApiVersion: string,
  ): Promise<readonly ApiObject[]> {
    const [first] = objects;
    if (first === undefined) return [];
    this.checkVersions(objects, desiredApiVersion);
    const about = `conversion for ${groupVersionKind(first)}`;
    const converted = await this.ask(objects, desiredApiVersion, first);
    if (converted.length !== objects.length)
      throw new ConversionError(
        `${about} returned ${converted.length} objects, expected ${objects.length}`,
      );
    try {
      return objects.map((object, i) =>
        asConverted(object, converted[i], desiredApiVersion, i + 1),
      );
    } catch (error) {
      if (!(error instanceof ConversionFault)) throw error;
      throw new ConversionError(`${about} ${error.message}`, { cause: error });
    }
  }

  private checkVersions(objects: readonly ApiObject[], desired: string): void {
    const { apiVersions } = this.rules;
    const strange = objects.find(({ apiVersion }) => !apiVersions.has(apiVersion));
    if (strange !== undefined)
      throw new ConversionError(
        `request to convert CR from an invalid group/version: ${strange.apiVersion}`,
      );
    if (!apiVersions.has(desired))
      throw new ConversionError(`request to convert CR to an invalid group/version: ${desired}`);
  }

  private async ask(
    objects: readonly ApiObject[],
    desiredApiVersion: string,
    first: ApiObject,
  ): Promise<readonly unknown[]> {
    try {
      const question: ConversionQuestion = {
        reviewVersion: conversionReviewVersionOf(this.rules.reviewVersions),
        uid: randomUUID(),
        desiredApiVersion,
      };
      return convertedIn(await this.answerTo(question, objects), question);
    } catch (error) {
      if (!(error instanceof WebhookCallError || error instanceof ConversionFault)) throw error;
      const about = groupVersionKind(first);
      throw new ConversionError(
        `conversion for ${about} failed: conversion webhook for ${about} failed: ${error.message}`,
        { cause: error },
      );
    }
  }

  private async answerTo(
    question: ConversionQuestion,
    objects: readonly ApiObject[],
  ): Promise<unknown> {
    if (this.waitingCount >= WAITING_MAX)
      throw new WebhookCallError('too many calls are under way');
    using deadline = timedController(this.deps.clock, TIMEOUT_MS);
    const { signal } = deadline;
    this.waitingCount++;
    const call = () =>
      this.deps.call(
        this.rules.target,
        conversionReview(question, objects),
        { timeoutMs: TIMEOUT_MS },
        signal,
      );
    try {
      const answer = await this.places.use(call, signal);
      this.failedAtMs = undefined;
      return answer;
    } catch (error) {
      this.failedAtMs = this.deps.clock.monotonicMs();
      if (error instanceof WebhookCallError || !signal.aborted) throw error;
      throw new WebhookCallError('context deadline exceeded', 0, { cause: error });
    } finally {
      this.waitingCount--;
    }
  }
}

/** `stable.example.com/v1, Kind=CronTab` */
const groupVersionKind = ({ apiVersion, kind }: ApiObject): string => `${apiVersion}, Kind=${kind}`;

/** As upstream: there is no field that says otherwise. */
const TIMEOUT_MS = 30_000;
const CALLS_MAX = 16;
/** Calls that are under way or wait for a place. */
const WAITING_MAX = 256;
const LATELY_MS = 10_000;
