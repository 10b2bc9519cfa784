import { KeyRing } from '../../control-plane/store/encryption/key-ring';
import { newKey } from '../../lib/encryption-keys';
import type { OpenStoreOptions } from '../../control-plane/store/index';
import { describeStore } from '../../control-plane/store/store-suite';
import { openEtcd } from './support/etcd';

const open = async (options: Pick<OpenStoreOptions, 'cipher'> = {}) => {
  const etcd = await openEtcd(options);
  return {
    store: etcd.opened.store,
    compact: () => etcd.compact(),
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
};

describeStore('etcd', () => open());
describeStore('etcd, all of it encrypted', () =>
  open({ cipher: new KeyRing([newKey(0)], () => true) }),
);
