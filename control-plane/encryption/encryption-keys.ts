import { notFound } from '../../api/errors';
import type { EncryptionKeyView } from '../../api/encryption-keys';
import { apiVersionOf, ENCRYPTION_KEYS } from '../../api/resources';
import type { ObjectName } from '../../api/types';
import type { ListResult } from '../../client/api-client';
import type { VirtualResource } from '../../client/virtual-resource';
import { rfc3339 } from '../../lib/clock';
import type { EncryptionKey } from '../../lib/encryption-keys';
import type { Reencryption } from '../store/etcd/reencryption';
import type { Encryption } from './encryption';

/** By which keys secrets are encrypted, and how many by each: never a key itself. */
export class EncryptionKeys implements VirtualResource<EncryptionKeyView> {
  readonly resource = ENCRYPTION_KEYS;
  private listCount = 0;

  constructor(
    private readonly encryption: Encryption,
    private readonly reencryption: Pick<Reencryption, 'use' | 'keysChanged'> | undefined,
  ) {}

  /** Has new keys used, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.encryption.follow(() => this.reencryption?.keysChanged(), signal);
  }

  /** @throws NotFound */
  async get(
    { name }: ObjectName,
    _query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<EncryptionKeyView> {
    const found = (await this.views(signal)).find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw notFound(ENCRYPTION_KEYS.plural, ENCRYPTION_KEYS.group, name);
    return found;
  }

  async list(
    _namespace: string | undefined,
    signal: AbortSignal,
  ): Promise<ListResult<EncryptionKeyView>> {
    return { items: await this.views(signal), resourceVersion: String(++this.listCount) };
  }

  private async views(signal: AbortSignal): Promise<readonly EncryptionKeyView[]> {
    const keys = this.encryption.ring.keys();
    const use = (await this.reencryption?.use(signal)) ?? new Map<string, number>();
    const clear = use.get('') ?? 0;
    return [
      ...keys.map((key, index) =>
        viewOf(key.id, { current: index === 0, secrets: use.get(key.id) ?? 0 }, key),
      ),
      ...(clear === 0 ? [] : [viewOf(IN_THE_CLEAR, { current: false, secrets: clear })]),
    ];
  }
}

const viewOf = (
  name: string,
  status: EncryptionKeyView['status'],
  key?: EncryptionKey,
): EncryptionKeyView => ({
  apiVersion: apiVersionOf(ENCRYPTION_KEYS),
  kind: ENCRYPTION_KEYS.kind,
  metadata: {
    name,
    ...(key === undefined ? {} : { creationTimestamp: rfc3339(key.createdAtMs) }),
  },
  status,
});

/** No key has this name: they are letters and digits. */
const IN_THE_CLEAR = 'in-the-clear';
