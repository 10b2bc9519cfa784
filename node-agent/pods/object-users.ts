import { ROW } from '../../api/assignment-rows';
import { nameOf, uidOf, type Pod } from '../../api/types';

/** What the server tells of: the kind of a row, and its key. */
export interface ChangedObject {
  readonly resource: string;
  readonly key: string;
}

/**
 * Pure: which pods may read these objects or wait for them. With nearly every pod comes a token of its
 * own: all others have nothing to do then.
 */
export const usersOf = (objects: readonly ChangedObject[]): ((pod: Pod) => boolean) => {
  const uids = new Set<string>();
  const namespaces = new Set<string>();
  let isForAll = false;
  for (const { resource, key } of objects)
    switch (resource) {
      case ROW.tokens:
        uids.add(key.slice(0, key.indexOf(' ')));
        break;
      case ROW.secrets:
      case ROW.configMaps:
      case ROW.claims:
        namespaces.add(key.slice(0, key.indexOf('/')));
        break;
      case ROW.volumes:
      case ROW.runtimeClasses:
      case ROW.csiDrivers:
      case ROW.attachments:
        isForAll = true;
    }
  return (pod) => isForAll || uids.has(uidOf(pod)) || namespaces.has(nameOf(pod).namespace);
};
