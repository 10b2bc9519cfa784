import type { Resource } from '../../../api/resources';
import type { ObjectName } from '../../../api/types';
import type { Authorizer } from './authorizer';
import type { Attributes } from './access-attributes';
import { SYSTEM_USER, type User } from './user';

/** What a write does to the store, whatever request leads there. */
export type Effect = 'create' | 'update' | 'delete';

/**
 * What one request may do to the store. Authorization makes it from what the request asks for, and
 * the store takes no write without it: a write that turns into another than was asked for (an apply
 * that creates) is authorized as what it does.
 */
export class Permit {
  private constructor(
    readonly user: User,
    private readonly authorizer: Authorizer | undefined,
    private readonly granted: Attributes | undefined,
  ) {}

  /** For the server's own components. */
  static readonly system = new Permit(SYSTEM_USER, undefined, undefined);

  /** @throws Forbidden unless the user may do what `asked` says */
  static of(user: User, asked: Attributes, authorizer: Authorizer): Permit {
    authorizer.authorize(user, asked);
    return new Permit(user, authorizer, asked);
  }

  /**
   * To be asked before every write to the store. @throws Forbidden for a create that was not asked
   * for and that the user may not do; Error, a fault of this program, for any other such effect
   */
  require(effect: Effect, { group, plural }: Resource, { namespace, name }: ObjectName): void {
    const { authorizer, granted } = this;
    if (authorizer === undefined) return;
    const isAsked =
      granted !== undefined &&
      granted.group === group &&
      granted.resource === plural &&
      covers(granted.namespace, namespace) &&
      covers(granted.name, name);
    if (isAsked && effectsOf(granted).includes(effect)) return;
    if (effect !== 'create' || !isAsked || granted.subresource !== '')
      throw new Error(`${effect} of ${plural} ${namespace}/${name} was never authorized`);
    const create = { verb: effect, group, resource: plural, subresource: '', namespace, name };
    authorizer.authorize(this.user, create);
  }
}

/** A collection, or all namespaces, cover what lies in them. */
const covers = (granted: string, wanted: string): boolean => granted === '' || granted === wanted;

/** What a request of this verb does to the object that it names. */
const effectsOf = ({ verb, subresource }: Attributes): readonly Effect[] =>
  EFFECTS[subresource === '' || PARTS.has(subresource) ? verb : `${verb} ${subresource}`] ?? [];

/** Subresources that are a part of the object: a write to them is an update of it. */
const PARTS: ReadonlySet<string> = new Set([
  ...['status', 'finalize', 'scale', 'approval', 'ephemeralcontainers', 'resize'],
]);

const EFFECTS: Readonly<Partial<Record<string, readonly Effect[]>>> = {
  create: ['create'],
  // Taking the last finalizer from an object that is to be deleted removes it.
  update: ['update', 'delete'],
  patch: ['update', 'delete'],
  // A deletion may have to wait: then it marks the object.
  delete: ['update', 'delete'],
  deletecollection: ['update', 'delete'],
  'create binding': ['update'],
  'create eviction': ['update', 'delete'],
};
