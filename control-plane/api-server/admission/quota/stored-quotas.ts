import { bounds } from '../../../../api/quota/ledger';
import { isCounted } from '../../../../api/quota/usage';
import { RESOURCE_QUOTAS } from '../../../../api/resources';
import type { ResourceQuota } from '../../../../api/types';
import type { WatchCaches } from '../../../store/watch-cache';
import { Permit } from '../../auth/permit';
import type { KindRegistry } from '../../kinds/kind-registry';
import { storeNameOf } from '../../kinds/served-kind';
import type { AuthorizedStore } from '../../objects/authorized-store';
import type { AdmissionReader } from '../admission-reader';
import type { QuotaStore } from './quota-account';

export interface StoredQuotasDeps {
  readonly store: AuthorizedStore;
  readonly caches: WatchCaches;
  readonly kinds: KindRegistry;
  readonly reader: AdmissionReader;
}

/** The server keeps accounts for itself, whoever's write they are about. */
export const storedQuotas = ({ store, caches, kinds, reader }: StoredQuotasDeps): QuotaStore => ({
  cached: ({ namespace, name }) => caches.of(RESOURCE_QUOTAS.plural).get(namespace, name),
  newest: (name) => store.get({ resource: RESOURCE_QUOTAS.plural, ...name }, NEVER),
  stock: async (quota) => {
    const { namespace = '' } = quota.metadata;
    const names = new Map(
      kinds
        .stored()
        .filter(({ resource }) => isCounted(resource) && bounds(quota, resource))
        .map((kind) => [storeNameOf(kind), kind.resource]),
    );
    return Promise.all(
      [...names].map(
        async ([name, resource]) =>
          [resource, await reader.listFresh(name, namespace, NEVER)] as const,
      ),
    );
  },
  replace: (old, next) =>
    store.update(kinds.of(RESOURCE_QUOTAS), old, withoutEmpty(next), {
      permit: Permit.system,
      signal: NEVER,
    }),
});

const withoutEmpty = (quota: ResourceQuota): ResourceQuota => {
  const { annotations = {}, ...metadata } = quota.metadata;
  return Object.keys(annotations).length > 0 ? quota : { ...quota, metadata };
};

const NEVER = new AbortController().signal;
