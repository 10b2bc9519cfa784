import { ApiError } from '../../../api/errors';
import type { ApiObject, Pod } from '../../../api/types';
import { isFields } from '../kinds/mutable';
import type { Attributes } from './authorizer';
import { nodeNameOf, type User } from './user';

/** The pods that are bound to a node, from a cache. */
export type PodsOn = (nodeName: string) => readonly ApiObject[];

/**
 * Holds a node's certificate to what concerns its own pods: it may change and end those alone, and
 * read just the secrets and configmaps they name. A stolen node key opens one node, not the cluster.
 * @throws Forbidden
 */
export const guardNode = (user: User, attributes: Attributes, podsOn: PodsOn): void => {
  const nodeName = nodeNameOf(user);
  if (nodeName === undefined) return;
  const { verb, resource, namespace, name } = attributes;
  const own = () => podsOn(nodeName).filter(({ metadata }) => metadata.namespace === namespace);
  if (resource === 'pods' && !READS.has(verb)) {
    if (own().some(({ metadata }) => metadata.name === name)) return;
    throw refuse(attributes, `node ${JSON.stringify(nodeName)} can only change pods bound to it`);
  }
  const field = REFERENCES[resource];
  if (field === undefined) return;
  if (verb === 'get' && own().some((pod) => refersTo((pod as Pod).spec, field, name))) return;
  throw refuse(
    attributes,
    `no relationship found between node ${JSON.stringify(nodeName)} and this object`,
  );
};

const refuse = ({ resource, name, verb }: Attributes, why: string): ApiError =>
  new ApiError(
    'Forbidden',
    `${resource}${name === '' ? '' : ` ${JSON.stringify(name)}`} is forbidden: ${verb}: ${why}`,
    { details: { kind: resource, ...(name === '' ? {} : { name }) } },
  );

interface ReferenceFields {
  /** Objects that hold the name in `name` or `secretName`. */
  readonly objects: readonly string[];
  readonly lists: readonly string[];
}

const REFERENCES: Readonly<Partial<Record<string, ReferenceFields>>> = {
  secrets: { objects: ['secret', 'secretRef', 'secretKeyRef'], lists: ['imagePullSecrets'] },
  configmaps: { objects: ['configMap', 'configMapRef', 'configMapKeyRef'], lists: [] },
};

/** Looks for a reference anywhere in a pod's spec: volumes, env, envFrom, pull secrets. */
const refersTo = (value: unknown, fields: ReferenceFields, name: string): boolean => {
  if (Array.isArray(value)) return value.some((item: unknown) => refersTo(item, fields, name));
  if (!isFields(value)) return false;
  return Object.entries(value).some(([key, member]) => {
    if (fields.objects.includes(key) && isNamed(member, name)) return true;
    if (fields.lists.includes(key) && Array.isArray(member))
      return member.some((item: unknown) => isNamed(item, name));
    return refersTo(member, fields, name);
  });
};

const isNamed = (value: unknown, name: string): boolean =>
  isFields(value) && (value['name'] === name || value['secretName'] === name);

const READS = new Set(['get', 'list', 'watch']);
