import { describeStore } from '../../control-plane/store/store-suite';
import { openEtcd } from './support/etcd';

describeStore('etcd', async () => {
  const etcd = await openEtcd();
  return {
    store: etcd.opened.store,
    compact: () => etcd.compact(),
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
});
