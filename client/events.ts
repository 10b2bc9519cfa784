import { apiVersionOf, type Resource } from '../api/resources';
import type { ApiObject } from '../api/types';
import { EventWriter, type EventWriterDeps } from './event-writer';

export type EventType = 'Normal' | 'Warning';

/** Tells people what happened to an object. Never blocks or fails the caller. */
export interface EventRecorder {
  event(
    resource: Resource,
    object: ApiObject,
    type: EventType,
    reason: string,
    message: string,
  ): void;
}

export interface EventRecorderDeps extends EventWriterDeps {
  /** `source.component` and `reportingComponent`. */
  readonly component: string;
}

/** Records what a component of the control plane has to say, by way of an `EventWriter`. */
export class ApiEventRecorder implements EventRecorder {
  private readonly writer: EventWriter;

  constructor(private readonly deps: EventRecorderDeps) {
    this.writer = new EventWriter(deps);
  }

  event(
    resource: Resource,
    object: ApiObject,
    type: EventType,
    reason: string,
    message: string,
  ): void {
    const { namespace, name, uid, resourceVersion } = object.metadata;
    const involvedObject = {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const source = { component: this.deps.component };
    this.writer.record({ involvedObject, type, reason, message, source });
  }
}
