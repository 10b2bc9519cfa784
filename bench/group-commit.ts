import { EtcdConnection } from '../control-plane/store/etcd/connection';
import { isModifiedAt, putOp } from '../control-plane/store/etcd/operations';
import type { StoreKey } from '../control-plane/store/store';
import type { ApiObject } from '../api/types';
import { openEtcd, type EtcdForTest } from '../test/integration/support/etcd';
import type { BenchResult } from './result';

/**
 * Compare-and-swaps a second on one etcd: the store's, which share transactions, against one
 * transaction for each, with equally many in flight and values of the same size.
 */
export const bench = async (): Promise<BenchResult[]> => {
  await using etcd = await openEtcd();
  const results: BenchResult[] = [];
  for (const inFlightCount of [1, 64]) {
    const rates = { grouped: [] as number[], single: [] as number[] };
    for (let round = 0; round < ROUNDS + 1; round++) {
      const label = `${inFlightCount}-${round}`;
      const single = await singleRate(etcd, label, inFlightCount);
      const grouped = await groupedRate(etcd, label, inFlightCount);
      // The first round warms both up.
      if (round === 0) continue;
      rates.single.push(single);
      rates.grouped.push(grouped);
    }
    const [ours, peerValue] = [Math.max(...rates.grouped), Math.max(...rates.single)];
    results.push({
      bench: 'group-commit',
      metric: `updates, ${inFlightCount} in flight`,
      ours,
      peer: 'single transactions',
      peerValue,
      ratio: ours / peerValue,
      unit: '1/s',
    });
  }
  return results;
};

/** Runs `inFlightCount` chains of `swap` for a while; swaps a second. */
const rateOf = async (
  inFlightCount: number,
  prepare: (chain: number) => Promise<() => Promise<void>>,
): Promise<number> => {
  const chains = await Promise.all(Array.from({ length: inFlightCount }, (_none, i) => prepare(i)));
  const startMs = performance.now();
  let count = 0;
  const runChain = async (swap: () => Promise<void>) => {
    while (performance.now() - startMs < ROUND_MS) {
      await swap();
      count++;
    }
  };
  await Promise.all(chains.map(runChain));
  return (count * 1000) / (performance.now() - startMs);
};

const groupedRate = (
  { opened: { store } }: EtcdForTest,
  label: string,
  inFlightCount: number,
): Promise<number> =>
  rateOf(inFlightCount, async (chain) => {
    const key: StoreKey = {
      resource: 'configmaps',
      namespace: 'bench',
      name: `grouped-${label}-${chain}`,
    };
    const object = configMap(key.name);
    let { resourceVersion } = await store.create(key, object);
    return async () => {
      ({ resourceVersion } = await store.update(key, object, resourceVersion));
    };
  });

const singleRate = async (
  { endpoint }: EtcdForTest,
  label: string,
  inFlightCount: number,
): Promise<number> => {
  using connection = new EtcdConnection({ endpoints: [endpoint] });
  return await rateOf(inFlightCount, async (chain) => {
    const key = Buffer.from(`/bench/${label}/${chain}`);
    const value = Buffer.from(JSON.stringify(configMap(`single-${label}-${chain}`)));
    let revision = 0;
    const swap = async () => {
      const { header, succeeded } = await connection.callKv((kv) => kv.txn.bind(kv), {
        compare: [isModifiedAt(key, revision)],
        success: [putOp(key, value)],
        failure: [],
      });
      if (!succeeded) throw new Error('a swap failed that nobody disputes');
      revision = Number(header?.revision);
    };
    await swap();
    return swap;
  });
};

const configMap = (name: string): ApiObject =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'bench' },
    data: { text: 'x'.repeat(VALUE_BYTES) },
  }) as ApiObject;

const VALUE_BYTES = 1000;
const ROUND_MS = 2000;
const ROUNDS = 3;
