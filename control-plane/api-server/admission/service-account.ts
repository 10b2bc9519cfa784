import { cloneJson } from '../../../api/json-value';
import { SERVICE_ACCOUNTS } from '../../../api/resources';
import { listAt, textAt } from '../kinds/mutable';
import { apiReferenceOf, isMirrorPod } from '../../../api/static-pods';
import type { Pod } from '../../../api/types';
import { objectOf, type AdmissionAttributes } from './attributes';
import type { AdmissionPlugin } from './admission-plugin';
import type { Random } from '../../../lib/random';
import { mountAccountToken } from './account-token';
import type { AdmissionReader } from './admission-reader';
import { isNewPod, specIn } from './pods';
import { refusal } from './refusal';

/** A node shows by it what it runs without the server: nothing of a namespace is lent to that. */
const refuseReferences = (asked: AdmissionAttributes): boolean => {
  const reference = apiReferenceOf({ spec: specIn(asked) as unknown as Pod['spec'] });
  if (reference === undefined) return false;
  const what = reference === 'serviceaccounts' ? 'service accounts' : reference;
  throw refusal(asked, `a mirror pod may not reference ${what}`);
};

/**
 * Names the account of a pod, mounts its token, and gives a pod without secrets to pull by those of
 * its account. The default account may not be there yet in a new namespace; any other must be.
 */
export const serviceAccount = (reader: AdmissionReader, random: Random): AdmissionPlugin => ({
  name: 'ServiceAccount',
  handles: isNewPod,
  admit: async (asked, signal) => {
    const spec = specIn(asked);
    if (isMirrorPod(objectOf(asked))) return refuseReferences(asked);
    const { namespace } = asked;
    const name = textAt(spec, 'serviceAccountName') || textAt(spec, 'serviceAccount') || 'default';
    spec['serviceAccountName'] = name;
    spec['serviceAccount'] = name;
    const account = await reader.find(SERVICE_ACCOUNTS.plural, namespace, name, signal);
    const secrets = listAt(account, 'imagePullSecrets');
    if (listAt(spec, 'imagePullSecrets').length === 0 && secrets.length > 0)
      spec['imagePullSecrets'] = cloneJson(secrets);
    if (account === undefined && name !== 'default')
      throw refusal(
        asked,
        `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
      );
    mountAccountToken(spec, account, random);
    return true;
  },
});
