import { seededRandom } from '../../lib/random';
import { decide } from './decide';
import { RandomCluster } from './engine/random-cluster-testing';
import { podInfoOf } from './pod-info';
import { Snapshot } from './snapshot';
import { testNode, testPod } from './testing';

/** All that can be asked of it, in plain values. */
const pictureOf = (snapshot: Snapshot) => ({
  nodes: snapshot.nodes.map((node) => ({
    ...{ name: node.name, node: node.node, pods: [...node.pods.keys()] },
    ...{ cpu: node.requestedCpuMillis, memory: node.requestedMemoryBytes },
    ...{ scoringCpu: node.scoringCpuMillis, scoringMemory: node.scoringMemoryBytes },
    ...{ storage: node.requestedStorageBytes, gpus: node.requestedOther('example.com/gpu') },
    ...{ allocatable: node.allocatable, labels: node.labels, least: node.leastPriority },
    ports: node.heldPorts.map(({ port, holder: { uid } }) => [port, uid]),
    affinityPods: node.affinityPods.map(({ uid }) => uid),
    nominated: snapshot.nominatedOn(node.name).map(({ uid }) => uid),
    holders: [...node.layers.keys()].map((digest) => snapshot.nodesHolding(digest)),
    layers: [...node.images.keys()].map((image) => snapshot.layersOf(image)),
  })),
  assumed: snapshot.assumedCount,
  isClaimUsed: snapshot.isClaimUsed('default/claim', ''),
  hasAffinityPods: snapshot.hasAffinityPods,
  hasNominations: snapshot.hasNominations,
});

const happenings = (cluster: RandomCluster, seed: number, count: number): void => {
  for (let i = 0; i < count; i++) {
    const pod = cluster.nextPod();
    const { nodeName, nominatedNodeName } = decide(pod, cluster.snapshot, seed);
    if (nodeName !== undefined) cluster.place(pod, nodeName);
    else if (nominatedNodeName !== undefined) cluster.snapshot.nominate(pod, nominatedNodeName);
    cluster.happen();
  }
};

it('has a copy that is the same, and what becomes of one is nothing to the other', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seededRandom(seed);
    const cluster = new RandomCluster({ random, nodeCountMax: 12, hasDomains: true });
    const { snapshot } = cluster;
    happenings(cluster, seed, 30);
    const copy = snapshot.copy();
    const then = pictureOf(snapshot);
    expect(pictureOf(copy)).toEqual(then);
    const pod = cluster.nextPod();
    expect(decide(pod, copy, seed)).toEqual(decide(pod, snapshot, seed));
    happenings(cluster, seed, 30);
    expect(pictureOf(copy)).toEqual(then);
    const now = pictureOf(snapshot);
    for (const { name, pods } of copy.nodes) {
      for (const uid of [...pods.keys()]) copy.removePod(uid);
      copy.removeNode(name);
    }
    expect(pictureOf(snapshot)).toEqual(now);
  }
});

it('copies what waits for its node, and who uses which claim', () => {
  const snapshot = new Snapshot();
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'claim' } }];
  snapshot.assume(podInfoOf(testPod('early', { cpu: '1', volumes })), 'n');
  const copy = snapshot.copy();
  copy.setNode(testNode('n'));
  expect([copy.node('n')?.requestedCpuMillis, snapshot.nodeCount]).toEqual([1000, 0]);
  copy.removePod('uid-early');
  expect(copy.isClaimUsed('default/claim', '')).toBe(false);
  expect(snapshot.isClaimUsed('default/claim', '')).toBe(true);
  expect(snapshot.isAssumed('uid-early')).toBe(true);
});

it('does not work out again for a copy what a node object says', () => {
  const snapshot = new Snapshot();
  const images = [{ names: ['app:1'], sizeBytes: 1 }];
  snapshot.setNode(testNode('n', { images }));
  const node = snapshot.node('n');
  expect(node?.images.size).toBe(1);
  expect(snapshot.copy().node('n')?.images).toBe(node?.images);
  expect(node?.with({ also: [] }).images).toBe(node?.images);
  const other = testNode('n', { images: [...images, { names: ['app:2'], sizeBytes: 1 }] });
  expect(node?.with({ node: other }).images.size).toBe(2);
});
