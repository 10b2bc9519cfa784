import type { Resource } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import type { EventRecorder } from '../../client/events';
import type { Informers } from '../../client/informers';
import type { FaultReporter } from '../../client/object-faults';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';

export interface ControllerDeps {
  readonly client: ApiClient;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told of objects that a controller cannot handle. Default: they are only logged. */
  readonly faults?: FaultReporter;
}

/** What a key stands for, while it is there. */
export const subject = (
  resource: Resource,
  object: ApiObject | undefined,
): { readonly resource: Resource; readonly object: ApiObject } | undefined =>
  object === undefined ? undefined : { resource, object };

/** Ends the subscriptions of one run, so that a run after it does not hear everything twice. */
export class Subscriptions implements Disposable {
  private readonly ends: (() => void)[] = [];

  add(end: () => void): void {
    this.ends.push(end);
  }

  [Symbol.dispose](): void {
    for (const end of this.ends.splice(0)) end();
  }
}

/** A loop that brings observed state towards desired state, safe to stop and start at any point. */
export interface Controller {
  readonly name: string;
  /** Works until `signal` aborts. The informers are running. It may be called again after it failed. */
  run(signal: AbortSignal): Promise<void>;
}
