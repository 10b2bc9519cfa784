import type { Random } from '../../../lib/random';
import { isFields, listAt, valueAt, type Fields } from '../kinds/mutable';
import { generateName } from '../objects/metadata';

/**
 * Gives every container of a pod the token of its account, the CA of the API and the pod's namespace,
 * where clients look for them, unless pod or account say no. What a container mounts there itself
 * stays. Source: plugin/pkg/admission/serviceaccount.
 */
export const mountAccountToken = (spec: Fields, account: unknown, random: Random): void => {
  const isWanted = [spec, account]
    .map((each) => valueAt(each, 'automountServiceAccountToken'))
    .find((each) => each !== undefined);
  if (isWanted === false) return;
  const volumes = listAt(spec, 'volumes');
  const present = volumes.map((volume) => valueAt(volume, 'name')).find(isTokenVolume);
  const name = present ?? generateName(PREFIX, random);
  let isMounted = false;
  for (const container of [...listAt(spec, 'initContainers'), ...listAt(spec, 'containers')]) {
    if (!isFields(container)) continue;
    const mounts = listAt(container, 'volumeMounts');
    if (mounts.some((mount) => valueAt(mount, 'mountPath') === MOUNT_PATH)) continue;
    container['volumeMounts'] = [...mounts, { name, readOnly: true, mountPath: MOUNT_PATH }];
    isMounted = true;
  }
  if (isMounted && present === undefined) spec['volumes'] = [...volumes, volumeOf(name)];
};

const isTokenVolume = (name: unknown): name is string =>
  typeof name === 'string' && name.startsWith(PREFIX);

const volumeOf = (name: string): Fields => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: LIFETIME_SECONDS, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [
            {
              path: 'namespace',
              fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' },
            },
          ],
        },
      },
    ],
  },
});

const PREFIX = 'kube-api-access-';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Upstream's: an hour, and a little that tells it from tokens of old. */
const LIFETIME_SECONDS = 3607;
