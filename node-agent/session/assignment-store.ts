import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

import { ROW, type Peer, type PodToken, type RowResource } from '../../api/assignment-rows';
import {
  keyOf,
  nameKey,
  type ConfigMap,
  type CSIDriver,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type RuntimeClass,
  type Secret,
  type VolumeAttachment,
  uidOf,
} from '../../api/types';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Changes, Row, ServerHello } from '../../proto/gen/dhow/agent/v1/agent';
import type { AdmittingNode } from '../plan/admission';
import { hasErrorCode, writeFileAtomic } from '../files';
import { parseJson, stringifyJson } from '../../lib/json';
import { NetworkTables } from './network-tables';

interface NodeRange {
  /** Empty until the server has said. */
  readonly podCidrs: readonly string[];
  readonly clusterCidrs: readonly string[];
}

/** What a node must know of the cluster besides its pods. */
export interface NodeFacts extends NodeRange {
  readonly peers: readonly Peer[];
  /** Labels and taints of this node; undefined until the server has said. */
  readonly node: AdmittingNode | undefined;
}

/** How the key of a row is found in what the row holds, so that the checkpoint can be read back. */
const KEYS: Readonly<Record<RowResource, (value: never) => string>> = {
  [ROW.pods]: (pod: Pod) => uidOf(pod),
  [ROW.secrets]: (secret: Secret) => keyOf(secret),
  [ROW.configMaps]: (map: ConfigMap) => keyOf(map),
  [ROW.claims]: (claim: PersistentVolumeClaim) => keyOf(claim),
  [ROW.volumes]: (volume: PersistentVolume) => uidOf(volume),
  [ROW.tokens]: (token: PodToken) => token.key,
  [ROW.runtimeClasses]: (runtimeClass: RuntimeClass) => keyOf(runtimeClass),
  [ROW.csiDrivers]: (driver: CSIDriver) => keyOf(driver),
  [ROW.attachments]: (attachment: VolumeAttachment) => keyOf(attachment),
  [ROW.nodes]: (node: Node) => node.metadata.name,
  [ROW.peers]: (peer: Peer) => peer.nodeName,
};

const isKnown = (resource: string): resource is RowResource => Object.hasOwn(KEYS, resource);

/**
 * What the server wants of this node, in memory and in a checkpoint on tmpfs (it holds secrets), so
 * that an agent that starts while the server is away goes on with what it knew.
 */
export class AssignmentStore {
  readonly pods = new Map<string, Pod>();
  private readonly secrets = new Map<string, Secret>();
  private readonly configMaps = new Map<string, ConfigMap>();
  private readonly claims = new Map<string, PersistentVolumeClaim>();
  private readonly volumesByUid = new Map<string, PersistentVolume>();
  private readonly tokens = new Map<string, PodToken>();
  private readonly runtimeClasses = new Map<string, RuntimeClass>();
  private readonly csiDrivers = new Map<string, CSIDriver>();
  private readonly attachments = new Map<string, VolumeAttachment>();
  private readonly nodes = new Map<string, Node>();
  private readonly peers = new Map<string, Peer>();
  private readonly tables: Readonly<Record<RowResource, Map<string, unknown>>> = {
    [ROW.pods]: this.pods,
    [ROW.secrets]: this.secrets,
    [ROW.configMaps]: this.configMaps,
    [ROW.claims]: this.claims,
    [ROW.volumes]: this.volumesByUid,
    [ROW.tokens]: this.tokens,
    [ROW.runtimeClasses]: this.runtimeClasses,
    [ROW.csiDrivers]: this.csiDrivers,
    [ROW.attachments]: this.attachments,
    [ROW.nodes]: this.nodes,
    [ROW.peers]: this.peers,
  };
  /** What all nodes are told alike; those who act on it subscribe. */
  readonly network: NetworkTables;
  private range: NodeRange = { podCidrs: [], clusterCidrs: [] };
  private known: NodeFacts | undefined;

  constructor(
    private readonly directory: string,
    private readonly log: Log,
    clock: Clock,
  ) {
    this.network = new NetworkTables(directory, log, clock);
  }

  get facts(): NodeFacts {
    this.known ??= {
      ...this.range,
      peers: [...this.peers.values()].sort((a, b) => (a.nodeName < b.nodeName ? -1 : 1)),
      node: [...this.nodes.values()].map(admittingNodeOf)[0],
    };
    return this.known;
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.secrets.get(nameKey({ namespace, name }));
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.configMaps.get(nameKey({ namespace, name }));
  }

  claim(namespace: string, name: string): PersistentVolumeClaim | undefined {
    return this.claims.get(nameKey({ namespace, name }));
  }

  /** By name; of several, made one after another, the newest that was told. */
  volume(name: string): PersistentVolume | undefined {
    return this.volumes().findLast(({ metadata }) => metadata.name === name);
  }

  volumes(): readonly PersistentVolume[] {
    return [...this.volumesByUid.values()];
  }

  token(key: string): PodToken | undefined {
    return this.tokens.get(key);
  }

  csiDriver(name: string): CSIDriver | undefined {
    return this.csiDrivers.get(name);
  }

  attachment(name: string): VolumeAttachment | undefined {
    return this.attachments.get(name);
  }

  runtimeClass(name: string): RuntimeClass | undefined {
    return this.runtimeClasses.get(name);
  }

  /** Reads the checkpoint; what is damaged there is dropped, the server sends it again. */
  load(): void {
    for (const resource of Object.values(ROW))
      for (const [key, value] of this.read(resource, KEYS[resource], SHAPES[resource]))
        this.tables[resource].set(key, value);
    const [range] = this.read<NodeRange>('facts', () => FACTS_KEY, rangeSchema);
    if (range !== undefined) this.range = range[1];
    this.known = undefined;
    this.network.load();
  }

  applyHello({ podCidrs, clusterCidrs }: ServerHello): void {
    this.range = { podCidrs, clusterCidrs };
    this.known = undefined;
    this.write('facts', FACTS_KEY, stringifyJson(this.range));
  }

  /** All that there is from now on. */
  applySnapshot(rows: readonly Row[]): void {
    this.network.applySnapshot(rows);
    const own = rows.filter(({ resource }) => isKnown(resource));
    const wanted = new Set(own.map(({ resource, key }) => `${resource} ${key}`));
    for (const resource of Object.values(ROW))
      for (const key of [...this.tables[resource].keys()])
        if (!wanted.has(`${resource} ${key}`)) this.remove(resource, key);
    for (const row of own) this.put(row);
  }

  applyChanges(changes: Changes): void {
    this.network.applyChanges(changes);
    const { rows, removed } = changes;
    for (const { resource, key } of removed) if (isKnown(resource)) this.remove(resource, key);
    for (const row of rows) this.put(row);
  }

  /** Keeps a pod's own latest status for the next start. */
  noteStatus(uid: string, status: Pod['status']): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    const noted = { ...pod, status };
    this.keep(ROW.pods, uid, noted, stringifyJson(noted));
  }

  /** One object that cannot be read must not keep the others away. */
  private put({ resource, key, json }: Row): void {
    if (!isKnown(resource)) return;
    try {
      this.keep(resource, key, parseJson(json), json);
    } catch (error) {
      this.log.error({ err: describeError(error) }, 'the server sent an object that is no JSON');
    }
  }

  /** `text` is the value as JSON: what the server sent is kept as it came. */
  private keep(
    resource: RowResource,
    key: string,
    value: unknown,
    text: string | Uint8Array,
  ): void {
    this.known = undefined;
    this.tables[resource].set(key, value);
    this.write(resource, key, text);
  }

  private remove(resource: RowResource, key: string): void {
    this.known = undefined;
    this.tables[resource].delete(key);
    rmSync(this.pathOf(resource, key), { force: true });
  }

  private write(kind: string, key: string, text: string | Uint8Array): void {
    try {
      writeFileAtomic(this.pathOf(kind, key), text);
    } catch (error) {
      // Running on is better than stopping pods because /run is full.
      this.log.error({ err: describeError(error) }, 'checkpoint not written');
    }
  }

  private read<T>(
    kind: string,
    keyFor: (object: T) => string,
    shape: z.ZodType,
  ): [key: string, object: T][] {
    const folder = join(this.directory, kind);
    let names: string[];
    try {
      names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return [];
      throw error;
    }
    return names.flatMap((name) => {
      try {
        const parsed = parseJson(readFileSync(join(folder, name), 'utf8'));
        shape.parse(parsed);
        const object = parsed as T;
        // Under another name nobody would delete it: it would come back with every start.
        const key = keyFor(object);
        if (name !== basename(this.pathOf(kind, key))) throw new Error('misnamed');
        return [[key, object]];
      } catch (error) {
        this.log.warn({ file: name, err: describeError(error) }, 'damaged checkpoint file dropped');
        rmSync(join(folder, name), { force: true, recursive: true });
        return [];
      }
    });
  }

  private pathOf(kind: string, key: string): string {
    return join(this.directory, kind, `${fileNameOf(key)}.json`);
  }
}

/** Keys are longer than file names may be: a namespace and a name of 253 characters, with escapes. */
const fileNameOf = (key: string): string => createHash('sha256').update(key).digest('hex');

const admittingNodeOf = ({ metadata, spec }: Node): AdmittingNode => ({
  name: metadata.name,
  labels: metadata.labels ?? {},
  taints: spec.taints ?? [],
});

/** What every reader of the checkpoint relies on: the rest the server has checked. */
const objectSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });
const podSchema = objectSchema.extend({
  spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string() })) }),
  status: z.looseObject({}),
});
const SHAPES: Readonly<Record<RowResource, z.ZodType>> = {
  [ROW.pods]: podSchema,
  [ROW.secrets]: objectSchema,
  [ROW.configMaps]: objectSchema,
  [ROW.claims]: objectSchema,
  [ROW.volumes]: objectSchema,
  [ROW.tokens]: z.looseObject({ key: z.string() }),
  [ROW.runtimeClasses]: objectSchema.extend({ handler: z.string() }),
  [ROW.csiDrivers]: objectSchema,
  [ROW.attachments]: objectSchema,
  [ROW.nodes]: z.looseObject({
    metadata: z.looseObject({
      name: z.string(),
      labels: z.record(z.string(), z.string()).optional(),
    }),
    spec: z.looseObject({ taints: z.array(z.looseObject({})).optional() }),
  }),
  [ROW.peers]: z.looseObject({
    nodeName: z.string(),
    addresses: z.array(z.string()),
    podCidrs: z.array(z.string()),
    wireguard: z.looseObject({ publicKey: z.string(), port: z.number() }).optional(),
  }),
};
const rangeSchema = z.looseObject({
  podCidrs: z.array(z.string()),
  clusterCidrs: z.array(z.string()),
});

const FACTS_KEY = 'node';
