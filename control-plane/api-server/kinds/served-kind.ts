import { qualifiedResource } from '../../../api/errors';
import type { KindInfo } from '../../../api/kinds';
import type { Resource } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { VirtualResource } from '../../../client/virtual-resource';
import type { Int64 } from '../../../api/int64';
import type { User } from '../auth/user';
import type { StoredObject } from '../../store/store';
import type { Aside } from '../http/aside';
import { NAME_AND_AGE } from '../printing/columns';
import type { Printer } from '../printing/printer';
import type { MutableObject } from './mutable';

/** What differs between kinds when objects are written. */
export interface Strategy {
  /** `metadata.generation` counts changes of everything but metadata and status. */
  readonly hasGeneration: boolean;
  /** Status is written through /status only, and /status writes nothing else. */
  readonly hasStatus: boolean;
  /** /status leaves labels and annotations alone too. Default: it may set them. */
  readonly isStatusAlone?: boolean;
  /** May a PUT create the object? */
  readonly createsOnUpdate: boolean;
  /** Fills in what the server alone decides, after admission and before validation. */
  prepareCreate?(object: MutableObject, user: User): void;
  /** Of a part: after admission and before validation. */
  preparePart?(object: MutableObject, old: ApiObject, nowMs: number): void;
  /** Of the main resource: /status and /finalize change only what they name. */
  prepareUpdate?(object: MutableObject, old: ApiObject): void;
  /** Seconds to wait before the object may vanish; undefined: at once. */
  graceSeconds?(object: ApiObject, requested: Int64 | undefined): Int64;
  /** Of an object that now waits to vanish. */
  prepareDelete?(object: MutableObject): void;
  /** Who deletes one and says nothing of its dependents leaves them. Default: they go too. */
  readonly orphansByDefault?: boolean;
  /** Does something besides finalizers keep a deleted object? */
  isHeld?(object: ApiObject): boolean;
}

/** All the server knows about one kind: the scheme's entry, and how it is written and printed. */
export interface ServedKind extends KindInfo {
  readonly strategy: Strategy;
  readonly printer: Printer;
  /** What is told to who would write what only the server does. */
  readonly whyReadOnly?: string;
  /** Served by its owner instead of the store. */
  readonly virtual?: VirtualResource;
  /** The CustomResourceDefinition that it is served from. */
  readonly definitionName?: string;
  /** The resource under whose name it is stored. Default: its own. */
  readonly storedAs?: Resource;
  /** What is stored as this version serves it. Default: as it is. */
  present?(stored: StoredObject): StoredObject;
  /** An object of this version as it is stored. Default: as it is. */
  toStored?(object: ApiObject): ApiObject;
  /** An object of another version of it as this one has it. Default: it differs in its version's name. */
  readonly convertedFrom?: (object: ApiObject) => ApiObject;
  /** In place of both where only a webhook knows how. */
  readonly conversion?: Conversion;
  /**
   * The kind as it is stored, whatever the version, for what needs no more than metadata: there is one
   * where conversion may fail.
   */
  readonly asStored?: ServedKind;
  /** By `apiVersion`, where conversion says what of one version is what of another. */
  readonly versions?: ReadonlyMap<string, ServedKind>;
  /** Where /scale finds what it tells. Default: as Deployments have it. */
  readonly scale?: ScalePaths;
  /** What whoever uses this version should hear. */
  readonly deprecation?: string;
}

/** With what a request waits for others: its end, and what it lets go of meanwhile. */
export interface Waiting {
  readonly signal: AbortSignal;
  readonly aside?: Aside;
}

/** How objects become those of another version by means that take time and may fail. */
export interface Conversion {
  /** Was there no answer lately? */
  readonly hasFailedLately: boolean;
  /** What is stored as this version serves it, in its order. @throws ApiError when one cannot be */
  present(stored: readonly StoredObject[], waiting: Waiting): Promise<readonly StoredObject[]>;
  /** An object of this version as it is stored. @throws ApiError */
  toStored(object: ApiObject, waiting: Waiting): Promise<ApiObject>;
  /** An object of any version in this one. @throws ApiError */
  convert<T extends ApiObject>(object: T, waiting: Waiting): Promise<T>;
}

/** Fields of an object, each as the names on the way to it. */
export interface ScalePaths {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** A selector in a text. Empty: there is none. */
  readonly selector: readonly string[];
}

/** How most kinds are served: all of it written by anyone who may, printed by name and age. */
export const serveKind = (
  info: KindInfo,
  {
    strategy = PLAIN,
    printer = NAME_AND_AGE,
  }: Partial<Pick<ServedKind, 'strategy' | 'printer'>> = {},
): ServedKind => ({
  ...info,
  subresources: info.subresources.filter((name) => SERVED_SUBRESOURCES.has(name)),
  strategy,
  printer,
});

/** Kinds that are all data: no status, no generation. */
export const PLAIN: Strategy = { hasGeneration: false, hasStatus: false, createsOnUpdate: false };

/** Kinds with a spec that someone acts on and a status that says how far. */
export const WITH_SPEC: Strategy = {
  hasGeneration: true,
  hasStatus: true,
  createsOnUpdate: false,
  prepareCreate: (object) => {
    object.status = {};
  },
};

/** The name under which the store keeps the kind, and messages call it: `deployments.apps`. */
export const storeNameOf = ({
  resource,
  storedAs = resource,
}: Pick<ServedKind, 'resource' | 'storedAs'>): string =>
  qualifiedResource(storedAs.plural, storedAs.group);

/** What is stored as a kind serves it that has no conversion. */
export const presentedNow = (kind: ServedKind, stored: StoredObject): StoredObject =>
  kind.present?.(stored) ?? stored;

/** What is stored as the kind serves it. @throws ApiError where it cannot be converted */
export const presented = async (
  kind: ServedKind,
  stored: StoredObject,
  waiting: Waiting,
): Promise<StoredObject> => {
  if (kind.conversion === undefined) return presentedNow(kind, stored);
  const [found = stored] = await kind.conversion.present([stored], waiting);
  return found;
};

/** Only what is answered is announced. */
const SERVED_SUBRESOURCES: ReadonlySet<string> = new Set([
  'status',
  'scale',
  'finalize',
  'binding',
  'eviction',
  'log',
  'exec',
  'attach',
  'portforward',
  'proxy',
  'token',
  'approval',
  'ephemeralcontainers',
  'resize',
  'scheduling',
  'isolation',
]);
