import type { Resource } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { Span } from '../../../lib/tracing/tracing';
import type { WriteGuard } from '../../store/store';
import type { User } from '../auth/user';
import type { Fields, MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { Aside } from '../http/aside';
import type { Annotate } from '../http/exchange';
import { versionOf } from '../objects/item';
import { waitingOf, type WriteContext } from '../objects/write-context';

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** What admission is asked about, as upstream's plugins and webhooks see it. */
export interface AdmissionAttributes {
  readonly operation: AdmissionOperation;
  /** Of the resource that the request names: pods for an eviction of one. */
  readonly kind: ServedKind;
  readonly subresource: string;
  readonly namespace: string;
  /** `''` when the server makes it up. */
  readonly name: string;
  /**
   * What is to be: an `Eviction` where one is asked for, a `Scale` where that is written. Absent when
   * something is deleted or connected to. The request's own copy, which plugins may change in `admit`.
   */
  readonly object?: MutableObject;
  /** What a connection is for: `PodExecOptions`, `PodAttachOptions`. */
  readonly connection?: Readonly<Fields>;
  /** What is there. Absent for what is created, and for a connection. */
  readonly old?: ApiObject;
  readonly user: User;
  /** Nothing will be written: a plugin must leave no trace either. */
  readonly isDryRun: boolean;
  /** An answer before was given too late: caches have been behind. */
  readonly isAgain: boolean;
  /** `CreateOptions` and the like, as the request has them. */
  readonly options?: Readonly<Fields>;
  /**
   * Waits for others without keeping what the request holds and others wait for. Absent where it
   * holds nothing.
   */
  readonly aside?: Aside;
  /** Notes what only the audit log tells. Absent where nothing is recorded. */
  readonly annotate?: Annotate;
  /** What is going on of what was asked: the request, or a step of its admission. Absent where it is not sampled. */
  span?: Span;
  /** Collects what the author should hear though nothing is refused. */
  readonly warnings: string[];
  /** Plugins add to it: what must still be as they saw it when the object is stored. */
  guards?: readonly WriteGuard[];
}

/** Who asks, and how, of all that the context is for. */
export const askedIn = (
  context: WriteContext,
): Pick<
  AdmissionAttributes,
  'user' | 'isDryRun' | 'isAgain' | 'warnings' | 'options' | 'aside' | 'annotate' | 'span'
> => {
  const { permit, isDryRun, warnings, options, annotate, span } = context;
  return {
    ...{ user: permit.user, isDryRun, isAgain: false, warnings },
    ...(options === undefined ? {} : { options }),
    ...(annotate === undefined ? {} : { annotate }),
    ...(span === undefined ? {} : { span }),
    aside: waitingOf(context).aside,
  };
};

/** Makes the write of a new object depend on the state of another. */
export const guardBy = (asked: AdmissionAttributes, resource: string, object: ApiObject): void => {
  const key = { resource, namespace: '', name: object.metadata.name };
  asked.guards = [...(asked.guards ?? []), { key, version: versionOf(object) }];
};

/** For a plugin that handles only what has an object. */
export const objectOf = ({ object, operation }: AdmissionAttributes): MutableObject => {
  if (object === undefined) throw new Error(`there is no object to ${operation}`);
  return object;
};

/** Is an object of the resource itself made or changed, not a subresource of one? */
export const isWriteOf = (
  { operation, kind, subresource }: AdmissionAttributes,
  resource: Resource,
): boolean =>
  kind.resource === resource &&
  subresource === '' &&
  (operation === 'CREATE' || operation === 'UPDATE');
