import { hasReason } from '../../api/errors';
import { jsonEqual } from '../../api/json-value';
import { isLabelForNodes } from '../../api/node-restriction';
import {
  dns1123SubdomainProblems,
  labelValueProblems,
  qualifiedNameProblems,
} from '../../api/names';
import { CSI_NODES, NODES } from '../../api/resources';
import type { CSINode, Node } from '../../api/types';
import { isSameNodeDriver } from '../../api/validation/csi';
import type { ApiClient } from '../../client/api-client';
import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { parseJson, stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import type { CsiDriver } from '../../proto/gen/dhow/agent/v1/agent';
import { withConflictRetry } from './node-registrar';

interface CsiNodeKeeperDeps {
  readonly client: Pick<ApiClient, 'get' | 'create' | 'update'>;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** On a Node: by driver, the driver's own name for it. Source: pkg/volume/csi/nodeinfomanager */
export const NODE_ID = 'csi.volume.kubernetes.io/nodeid';

/** Shows the CSI drivers of a node, as its agent tells of them: its CSINode, and where it is as labels. */
export class CsiNodeKeeper {
  private wanted: readonly CsiDriver[] | undefined;
  private readonly alarm: Alarm;

  constructor(private readonly deps: CsiNodeKeeperDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** All drivers that the node has. What cannot be one is left out. */
  report(drivers: readonly CsiDriver[]): void {
    this.wanted = drivers.filter(isSound).slice(0, DRIVERS_MAX);
    this.alarm.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.deps;
    while (!signal.aborted) {
      const { wakes } = this.alarm;
      let idleMs = IDLE_MAX_MS;
      try {
        if (this.wanted !== undefined) await this.reconcile(this.wanted, signal);
      } catch (error) {
        if (hasAborted(signal)) return;
        log.warn({ err: describeError(error) }, 'CSI drivers are not shown yet');
        idleMs = RETRY_MS;
      }
      await this.alarm.sleep(idleMs, signal, wakes);
    }
  }

  /** The labels first: who sees that the node has a driver may count on them. */
  private async reconcile(drivers: readonly CsiDriver[], signal: AbortSignal): Promise<void> {
    const { client, nodeName, log } = this.deps;
    const read = () => client.get(NODES, { namespace: '', name: nodeName }, signal);
    const node = await read();
    await withConflictRetry(node, read, async (current) => {
      const next = shownOn(current, drivers, (why) => log.error({ why }, 'CSI topology refused'));
      return next === current ? current : await client.update(NODES, next, {}, signal);
    });
    await this.writeCsiNode(node, drivers, signal);
  }

  private async writeCsiNode(
    node: Node,
    drivers: readonly CsiDriver[],
    signal: AbortSignal,
  ): Promise<void> {
    const { client } = this.deps;
    const wanted = csiNodeOf(node, drivers);
    const name = { namespace: '', name: wanted.metadata.name };
    const read = () => client.get(CSI_NODES, name, signal);
    const found = await read().catch((error: unknown) => {
      if (!hasReason(error, 'NotFound')) throw error;
      return undefined;
    });
    if (found === undefined) {
      await client.create(CSI_NODES, wanted, {}, signal);
      return;
    }
    await withConflictRetry(found, read, async (current) => {
      if (jsonEqual(current.spec, wanted.spec)) return current;
      // A driver that is called otherwise now is another one, which may not take its place at once.
      const known = current.spec?.drivers ?? [];
      const kept = known.filter(
        (driver) =>
          !wanted.spec.drivers.some(
            (next) => next.name === driver.name && !isSameNodeDriver(next, driver),
          ),
      );
      const cleared =
        kept.length < known.length
          ? await client.update(CSI_NODES, { ...current, spec: { drivers: kept } }, {}, signal)
          : current;
      return await client.update(CSI_NODES, { ...cleared, spec: wanted.spec }, {}, signal);
    });
  }
}

/** Pure: the CSINode of a node with these drivers. */
export const csiNodeOf = (
  { metadata: { name, uid = '' } }: Node,
  drivers: readonly CsiDriver[],
): CSINode & Required<Pick<CSINode, 'spec'>> => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSINode',
  metadata: { name, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
  spec: {
    drivers: drivers.map(({ name: driver, nodeId, volumeCountMax, topology }) => ({
      name: driver,
      nodeID: nodeId,
      topologyKeys: Object.keys(topology).sort(),
      ...(volumeCountMax > 0n
        ? {
            allocatable: { count: Number(volumeCountMax > COUNT_MAX ? COUNT_MAX : volumeCountMax) },
          }
        : {}),
    })),
  },
});

/**
 * Pure: the node with the drivers' names for it, and the labels of where it is; itself when nothing is new.
 * A label that says otherwise stays, as upstream: volumes may be where it says.
 */
export const shownOn = (
  node: Node,
  drivers: readonly CsiDriver[],
  onRefused: (why: string) => void,
): Node => {
  const { labels: before = {}, annotations: noted = {} } = node.metadata;
  const labels = { ...before };
  for (const { name, topology } of drivers)
    for (const [key, value] of Object.entries(topology)) {
      const existing = labels[key];
      if (existing !== undefined && existing !== value)
        onRefused(
          `detected topology value collision: driver ${name} reported "${key}":"${value}" but existing label is "${key}":"${existing}"`,
        );
      else labels[key] = value;
    }
  const ids = Object.fromEntries(drivers.map(({ name, nodeId }) => [name, nodeId]));
  const { [NODE_ID]: known, ...others } = noted;
  const hasIds = drivers.length > 0;
  const isSame =
    jsonEqual(labels, before) &&
    (hasIds ? known !== undefined && jsonEqual(idsIn(known), ids) : known === undefined);
  if (isSame) return node;
  const annotations = hasIds ? { ...others, [NODE_ID]: stringifyJson(ids) } : others;
  return { ...node, metadata: { ...node.metadata, labels, annotations } };
};

const idsIn = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
};

/** An agent may say anything; of its node's labels only what a node may set. */
const isSound = ({ name, nodeId, topology }: CsiDriver): boolean =>
  dns1123SubdomainProblems(name).length === 0 &&
  nodeId !== '' &&
  nodeId.length <= NODE_ID_MAX &&
  Object.keys(topology).length <= SEGMENTS_MAX &&
  Object.entries(topology).every(
    ([key, value]) =>
      isLabelForNodes(key) &&
      qualifiedNameProblems(key).length === 0 &&
      labelValueProblems(value).length === 0,
  );

// Behind a call, so that the compiler does not take an earlier look for the present one.
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

const RETRY_MS = 2_000;
const IDLE_MAX_MS = 3_600_000;
const DRIVERS_MAX = 100;
const SEGMENTS_MAX = 16;
const NODE_ID_MAX = 256;
const COUNT_MAX = 2n ** 31n - 1n;
