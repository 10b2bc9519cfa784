import { ApiError, type StatusReason } from '../api/errors';
import { qualifiedName, type Resource } from '../api/resources';
import { keyOf, type ApiObject } from '../api/types';
import { describeError, type Log } from '../lib/log';
import type { EventRecorder } from './events';

/** One consumer's failure at one object. */
export interface ObjectFault {
  /** Who failed: `informer`, the name of a controller, `scheduler`. */
  readonly consumer: string;
  readonly resource: Resource;
  readonly object: ApiObject;
  readonly error: unknown;
}

/** Says which object a consumer could not handle, and why. Never fails its caller. */
export interface FaultReporter {
  report(fault: ObjectFault): void;
}

/** For parts that run without a recorder of events. */
export const loggedFaults = (log: Log): FaultReporter => ({
  report: ({ consumer, resource, object, error }) => {
    const fields = { consumer, resource: resource.plural, object: keyOf(object) };
    log.error({ ...fields, err: describeError(error) }, 'object not handled');
  },
});

export interface ObjectFaultsDeps {
  readonly events: EventRecorder;
  readonly log: Log;
}

/**
 * Tells of objects that make a consumer fail: in a Warning event on the object, in the log once a
 * version of it, and in a counter. The consumer itself goes on with the other objects.
 */
export class ObjectFaults implements FaultReporter {
  private readonly counts = new Map<string, number>();
  private readonly logged = new Set<string>();

  constructor(private readonly deps: ObjectFaultsDeps) {}

  report({ consumer, resource, object, error }: ObjectFault): void {
    try {
      this.count(consumer, resource);
      const why = describeError(error);
      this.logOnce(consumer, resource, object, why);
      const message = `${consumer} cannot handle this object and passes it over: ${why}`;
      this.deps.events.event(resource, object, 'Warning', 'ObjectNotHandled', message);
    } catch (failure) {
      this.deps.log.error({ consumer, err: describeError(failure) }, 'fault not reported');
    }
  }

  /** `[labels, value]` of `dhow_object_faults_total`; bounded by consumers and kinds. */
  series(): readonly (readonly [string, number])[] {
    return [...this.counts];
  }

  private count(consumer: string, resource: Resource): void {
    const labels = `consumer="${consumer}",resource="${qualifiedName(resource)}"`;
    this.counts.set(labels, (this.counts.get(labels) ?? 0) + 1);
  }

  private logOnce(consumer: string, resource: Resource, object: ApiObject, why: string): void {
    const { uid = '', resourceVersion = '' } = object.metadata;
    const key = `${consumer} ${uid} ${resourceVersion}`;
    if (this.logged.has(key)) return;
    if (this.logged.size >= LOGGED_MAX) this.logged.clear();
    this.logged.add(key);
    const fields = { consumer, resource: resource.plural, object: keyOf(object), err: why };
    this.deps.log.error(fields, 'object not handled');
  }
}

/** A failure that its object's own events tell of: to be tried again, and no fault to be told once more. */
export class ToldError extends Error {}

/** Met again whenever the object is: a defect, or a write that the API will never take. */
export const isLasting = (error: unknown): boolean =>
  error instanceof ApiError
    ? LASTING_REASONS.includes(error.reason)
    : !(error instanceof ToldError);

const LASTING_REASONS: readonly StatusReason[] = [
  'BadRequest',
  'Invalid',
  'RequestEntityTooLarge',
  'InternalError',
];
const LOGGED_MAX = 10_000;
