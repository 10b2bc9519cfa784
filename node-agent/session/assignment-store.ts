import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

import {
  keyOf,
  nameKey,
  type ApiObject,
  type ConfigMap,
  type Node,
  type Pod,
  type Secret,
} from '../../api/types';
import { describeError, type Log } from '../../lib/log';
import type {
  AssignmentDelta,
  Assignments,
  ObjectRef,
  Peer,
  ServerHello,
} from '../../proto/gen/dhow/agent/v1/agent';
import type { AdmittingNode } from '../pods/admission';
import { hasErrorCode, writeFileAtomic } from '../files';
import { parseJson, stringifyJson } from '../../lib/json';

/** What a node must know of the cluster besides its pods. */
export interface NodeFacts {
  readonly podCidr: string;
  readonly clusterCidr: string;
  readonly peers: readonly Peer[];
  /** Labels and taints of this node; undefined until the server has said. */
  readonly node?: AdmittingNode | undefined;
}

/**
 * What the server wants of this node, in memory and in a checkpoint on tmpfs (it holds secrets), so
 * that an agent that starts while the server is away goes on with what it knew.
 */
export class AssignmentStore {
  readonly pods = new Map<string, Pod>();
  private readonly secrets = new Map<string, Secret>();
  private readonly configMaps = new Map<string, ConfigMap>();
  private currentFacts: NodeFacts = { podCidr: '', clusterCidr: '', peers: [] };

  constructor(
    private readonly directory: string,
    private readonly log: Log,
  ) {}

  get facts(): NodeFacts {
    return this.currentFacts;
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.secrets.get(nameKey({ namespace, name }));
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.configMaps.get(nameKey({ namespace, name }));
  }

  /** Reads the checkpoint; what is damaged there is dropped, the server sends it again. */
  load(): void {
    for (const pod of this.read<Pod>('pods', uidOf)) this.pods.set(uidOf(pod), pod);
    for (const secret of this.read<Secret>('secrets', keyOf))
      this.secrets.set(keyOf(secret), secret);
    for (const map of this.read<ConfigMap>('config-maps', keyOf))
      this.configMaps.set(keyOf(map), map);
    const [facts] = this.read<NodeFacts>('facts', () => FACTS_KEY);
    if (facts !== undefined) this.currentFacts = facts;
  }

  applyHello({ podCidr, clusterCidr }: ServerHello): void {
    this.setFacts({ ...this.currentFacts, podCidr, clusterCidr });
  }

  applySnapshot({ pods, secrets, configMaps, peers, node }: Assignments): void {
    const wantedPods = this.parseAll<Pod>(pods);
    const wantedSecrets = this.parseAll<Secret>(secrets);
    const wantedMaps = this.parseAll<ConfigMap>(configMaps);
    this.replace('pods', this.pods, wantedPods, uidOf);
    this.replace('secrets', this.secrets, wantedSecrets, keyOf);
    this.replace('config-maps', this.configMaps, wantedMaps, keyOf);
    this.setFacts({ ...this.currentFacts, peers, ...nodeFactsOf(node) });
  }

  applyDelta(delta: AssignmentDelta): void {
    for (const pod of this.parseAll<Pod>(delta.pods)) this.put('pods', this.pods, pod, uidOf);
    for (const { uid } of delta.removedPods) this.remove('pods', this.pods, uid);
    for (const secret of this.parseAll<Secret>(delta.secrets))
      this.put('secrets', this.secrets, secret, keyOf);
    for (const ref of delta.removedSecrets) this.remove('secrets', this.secrets, keyOfRef(ref));
    for (const map of this.parseAll<ConfigMap>(delta.configMaps))
      this.put('config-maps', this.configMaps, map, keyOf);
    for (const ref of delta.removedConfigMaps)
      this.remove('config-maps', this.configMaps, keyOfRef(ref));
    if (delta.peersChanged || delta.node.length > 0) {
      const { peers } = delta.peersChanged ? delta : this.currentFacts;
      this.setFacts({ ...this.currentFacts, peers, ...nodeFactsOf(delta.node) });
    }
  }

  /** Keeps a pod's own latest status for the next start. */
  noteStatus(uid: string, status: Pod['status']): void {
    const pod = this.pods.get(uid);
    if (pod !== undefined) this.put('pods', this.pods, { ...pod, status }, uidOf);
  }

  /** One object that cannot be read must not keep the others away. */
  private parseAll<T>(messages: readonly Uint8Array[]): T[] {
    return messages.flatMap((bytes) => {
      try {
        return [parseJson(bytes) as T];
      } catch (error) {
        this.log.error({ err: describeError(error) }, 'the server sent an object that is no JSON');
        return [];
      }
    });
  }

  private setFacts(facts: NodeFacts): void {
    this.currentFacts = facts;
    this.write('facts', FACTS_KEY, facts);
  }

  private replace<T extends ApiObject>(
    kind: string,
    map: Map<string, T>,
    wanted: readonly T[],
    key: (object: T) => string,
  ): void {
    const keys = new Set(wanted.map(key));
    for (const known of [...map.keys()]) if (!keys.has(known)) this.remove(kind, map, known);
    for (const object of wanted) this.put(kind, map, object, key);
  }

  private put<T extends ApiObject>(
    kind: string,
    map: Map<string, T>,
    object: T,
    key: (object: T) => string,
  ): void {
    map.set(key(object), object);
    this.write(kind, key(object), object);
  }

  private remove(kind: string, map: Map<string, unknown>, key: string): void {
    map.delete(key);
    rmSync(this.pathOf(kind, key), { force: true });
  }

  private write(kind: string, key: string, value: unknown): void {
    try {
      writeFileAtomic(this.pathOf(kind, key), stringifyJson(value));
    } catch (error) {
      // Running on is better than stopping pods because /run is full.
      this.log.error({ err: describeError(error) }, 'checkpoint not written');
    }
  }

  private read<T>(kind: string, keyFor: (object: T) => string): T[] {
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
        const object = parseJson(readFileSync(join(folder, name), 'utf8')) as T;
        // Under another name nobody would delete it: it would come back with every start.
        if (name !== basename(this.pathOf(kind, keyFor(object)))) throw new Error('misnamed');
        return [object];
      } catch (error) {
        this.log.warn({ file: name, err: describeError(error) }, 'damaged checkpoint file dropped');
        rmSync(join(folder, name), { force: true });
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

const nodeFactsOf = (bytes: Uint8Array): Pick<NodeFacts, 'node'> => {
  if (bytes.length === 0) return {};
  const { metadata, spec } = parseJson(bytes) as Node;
  return {
    node: { name: metadata.name, labels: metadata.labels ?? {}, taints: spec.taints ?? [] },
  };
};

const FACTS_KEY = 'node';
const uidOf = (pod: Pod): string => pod.metadata.uid ?? '';
const keyOfRef = ({ namespace, name }: ObjectRef): string => nameKey({ namespace, name });
