import { apiVersionOf, type Resource } from '../../../../api/resources';
import type { ApiObject } from '../../../../api/types';
import { textAt, type Fields } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionAttributes, AdmissionOperation } from '../attributes';
import { namespaceNameOf } from '../matching';

/**
 * Upstream's `AdmissionRequest`, which webhooks are sent. `matched` is the kind by the version that the
 * rules name; object and old object must be of it.
 */
export const admissionRequest = (
  asked: AdmissionAttributes,
  matched: ServedKind,
  uid: string,
): Fields => ({
  uid,
  ...requestOf(asked, matched),
  object: asked.object ?? asked.connection ?? null,
  oldObject: asked.old ?? null,
});

/** What expressions see as `request`: all but the objects, which are variables of their own. */
export const requestOf = (asked: AdmissionAttributes, matched: ServedKind): Fields => {
  const { kind, subresource, name, operation, user, isDryRun, options } = asked;
  const requestKind = kindOf(asked, kind.resource);
  const part = subresource === '' ? {} : { subResource: subresource };
  const requestPart = subresource === '' ? {} : { requestSubResource: subresource };
  const namespace = namespaceNameOf(asked);
  return {
    kind: kindOf(asked, matched.resource),
    resource: resourceOf(matched.resource),
    ...part,
    requestKind,
    requestResource: resourceOf(kind.resource),
    ...requestPart,
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined ? {} : { extra: user.extra }),
    },
    dryRun: isDryRun,
    options: optionsOf(operation, options),
  };
};

/**
 * Named after what is done, as a patch may create what was not there. The server's own components
 * say no more of how they write.
 */
const optionsOf = (operation: AdmissionOperation, given: Fields = {}): Fields | null => {
  const kind = OPTIONS[operation];
  return kind === undefined ? null : { ...given, kind, apiVersion: 'meta.k8s.io/v1' };
};

const OPTIONS: Readonly<Partial<Record<AdmissionOperation, string>>> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
};

const resourceOf = ({ group, version, plural }: Resource) => ({ group, version, resource: plural });

/**
 * What the object is: an `Eviction` where one is asked for, a `Scale` where that is written, and
 * otherwise the kind that the request names.
 */
const kindOf = ({ object, connection, subresource }: AdmissionAttributes, resource: Resource) => {
  const posted: ApiObject | Fields | undefined = object ?? connection;
  const isOwn =
    posted === undefined || subresource === '' || textAt(posted, 'kind') === resource.kind;
  if (isOwn) return { group: resource.group, version: resource.version, kind: resource.kind };
  const [version = '', group = ''] = textAt(posted, 'apiVersion').split('/').reverse();
  return { group, version, kind: textAt(posted, 'kind') };
};

/** Is the object of the very kind that the request names, so that it has other versions? */
export const isOfKind = ({ object, old }: AdmissionAttributes, { resource }: ServedKind): boolean =>
  [object, old].every(
    (each) =>
      each === undefined ||
      (each.kind === resource.kind && each.apiVersion === apiVersionOf(resource)),
  );
