import { createHash } from 'node:crypto';

import { POD_KIND } from '../../api/kinds/pod';
import { PODS } from '../../api/resources';
import { decode } from '../../api/schema/decode';
import { apiReferenceOf, CONFIG } from '../../api/static-pods';
import type { Pod } from '../../api/types';
import { readManifests } from '../../api/yaml/manifests';
import { stringifyJson } from '../../lib/json';

/**
 * The pod that a file describes, as upstream makes it (pkg/kubelet/config/common.go): named for its node,
 * bound to it, and with a uid that stays the same for as long as file and text do.
 * @throws Error saying what is wrong with the text
 */
export const staticPodOf = (text: Uint8Array, path: string, nodeName: string): Pod => {
  const { manifests } = readManifests(text);
  const [manifest, ...more] = manifests;
  if (manifest === undefined || more.length > 0)
    throw new Error(`expected one pod, found ${manifests.length} objects`);
  const { apiVersion, kind } = manifest.value;
  if (apiVersion !== 'v1' || kind !== 'Pod') throw new Error('expected a v1 Pod');
  const { object } = decode<Pod>(PODS, manifest.value);
  const { metadata, spec } = object;
  const hash = hashOf(nodeName, path, stringifyJson({ metadata, spec }));
  const uid = metadata.uid ?? hash;
  const { source, hash: hashKey } = CONFIG;
  const pod = {
    ...object,
    metadata: {
      ...metadata,
      name: `${metadata.name}-${nodeName.toLowerCase()}`,
      namespace: metadata.namespace ?? 'default',
      uid,
      annotations: { ...metadata.annotations, [source]: 'file', [hashKey]: hash },
    },
    spec: {
      ...spec,
      nodeName,
      tolerations: [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
    },
    status: { phase: 'Pending' },
  };
  POD_KIND.rules.applyDefaults(pod);
  const errors = POD_KIND.rules.validateCreate(pod);
  if (errors.length > 0)
    throw new Error(errors.map(({ field, message }) => `${field}: ${message}`).join('; '));
  const reference = apiReferenceOf(pod);
  if (reference !== undefined) throw new Error(`static pods may not reference ${reference}`);
  return pod;
};

/** Pure: what the server shows of a static pod. */
export const mirrorOf = ({ metadata, spec, apiVersion, kind }: Pod, seenAt: string): Pod => {
  const { uid: _, annotations = {}, ...rest } = metadata;
  const marks = { [CONFIG.mirror]: annotations[CONFIG.hash] ?? '', [CONFIG.seen]: seenAt };
  return {
    apiVersion,
    kind,
    metadata: { ...rest, annotations: { ...annotations, ...marks } },
    spec,
    status: {},
  };
};

const hashOf = (...parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, HASH_CHARACTERS);

/** As long as upstream's, which are MD5. */
const HASH_CHARACTERS = 32;
