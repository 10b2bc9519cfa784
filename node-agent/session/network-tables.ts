import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';

import {
  CLUSTER_KEY,
  NETWORK_ROW,
  POLICY_ROW,
  type NetworkRowResource,
  type PolicyRowResource,
} from '../../api/assignment-rows';
import type { ClusterNetwork } from '../../api/cluster-network';
import type { AddressChunk, NodePolicy, PodPolicies } from '../../api/network-policies/rows';
import type { EndpointSlice, Ingress, Secret, Service } from '../../api/types';
import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { parseJson, stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import type { Changes, Row } from '../../proto/gen/dhow/agent/v1/agent';
import { RowJournal, type JournalEntry } from './row-journal';

/** Rows of one kind, as the server last told of them. */
export interface RowTable<T> {
  get(key: string): T | undefined;
  list(): IterableIterator<T>;
  /**
   * Calls `listener` with the keys of the rows that came, went or became others, once for all that
   * came together, when all tables have them; returns the undo. What is there already is not replayed.
   */
  onChange(listener: (keys: ReadonlySet<string>) => void): () => void;
}

/** What a node knows of the cluster's network, also while the server is away. */
export interface NetworkView {
  readonly services: RowTable<Service>;
  readonly endpointSlices: RowTable<EndpointSlice>;
  /** Those that nodes serve. */
  readonly ingresses: RowTable<Ingress>;
  readonly ingressSecrets: RowTable<Secret>;
  /** One row, `CLUSTER_KEY`. */
  readonly clusterNetwork: RowTable<ClusterNetwork>;
  readonly policyAddresses: RowTable<AddressChunk>;
  readonly networkPolicies: RowTable<NodePolicy>;
  /** By uid of the pod. */
  readonly podPolicies: RowTable<PodPolicies>;
  /** The server has told all that there is, to this agent or to the one before it. */
  readonly isKnown: boolean;
  /** Resolves when it is known, after `ms`, or when `signal` aborts. */
  whenKnown(ms: number, signal: AbortSignal): Promise<void>;
}

/** Keeps the network's rows in memory and in a checkpoint. */
export class NetworkTables implements NetworkView {
  readonly services = new Table<Service>(objectSchema());
  readonly endpointSlices = new Table<EndpointSlice>(objectSchema());
  readonly ingresses = new Table<Ingress>(objectSchema());
  readonly ingressSecrets = new Table<Secret>(objectSchema());
  readonly clusterNetwork = new Table<ClusterNetwork>(clusterSchema());
  readonly policyAddresses = new Table<AddressChunk>(chunkSchema());
  readonly networkPolicies = new Table<NodePolicy>(policySchema());
  readonly podPolicies = new Table<PodPolicies>(podPoliciesSchema());
  private readonly tables: Readonly<Record<TableResource, Table<unknown>>> = {
    [POLICY_ROW.addresses]: this.policyAddresses,
    [POLICY_ROW.policies]: this.networkPolicies,
    [POLICY_ROW.podPolicies]: this.podPolicies,
    [NETWORK_ROW.services]: this.services,
    [NETWORK_ROW.endpointSlices]: this.endpointSlices,
    [NETWORK_ROW.ingresses]: this.ingresses,
    [NETWORK_ROW.ingressSecrets]: this.ingressSecrets,
    [NETWORK_ROW.clusterNetwork]: this.clusterNetwork,
  };
  private readonly journal: RowJournal;
  private readonly known: Alarm;

  constructor(
    directory: string,
    private readonly log: Log,
    clock: Clock,
  ) {
    this.known = new Alarm(clock);
    this.journal = new RowJournal(join(directory, 'network.jsonl'), log);
  }

  get isKnown(): boolean {
    return this.clusterNetwork.get(CLUSTER_KEY) !== undefined;
  }

  async whenKnown(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.isKnown) await this.known.sleep(ms, signal);
  }

  /** Reads the checkpoint; what is damaged there is dropped, the server sends it again. */
  load(): void {
    for (const { resource, key, text } of this.journal.load()) {
      if (!isNetworkRow(resource)) continue;
      if (text === undefined) this.tables[resource].delete(key);
      else this.put(resource, key, text);
    }
    this.tell();
  }

  /** All that there is from now on. */
  applySnapshot(rows: readonly Row[]): void {
    const wanted = new Map(RESOURCES.map((resource) => [resource, new Set<string>()]));
    for (const { resource, key } of rows)
      if (isNetworkRow(resource)) wanted.get(resource)?.add(key);
    const removed = RESOURCES.flatMap((resource) =>
      [...this.tables[resource].keys()]
        .filter((key) => wanted.get(resource)?.has(key) !== true)
        .map((key) => ({ resource, key })),
    );
    this.applyChanges({ rows: [...rows], removed });
  }

  applyChanges({ rows, removed }: Changes): void {
    const changed: JournalEntry[] = [];
    for (const { resource, key } of removed)
      if (isNetworkRow(resource) && this.tables[resource].delete(key))
        changed.push({ resource, key });
    for (const { resource, key, json } of rows) {
      if (!isNetworkRow(resource)) continue;
      const text = this.put(resource, key, json.toString());
      if (text !== undefined) changed.push({ resource, key, text });
    }
    this.journal.write(changed, () => this.all());
    this.tell();
  }

  /** Its text when it is news. One row that cannot be read must not keep the others away. */
  private put(resource: TableResource, key: string, text: string): string | undefined {
    try {
      return this.tables[resource].put(key, text) ? text : undefined;
    } catch (error) {
      this.log.error({ resource, key, err: describeError(error) }, 'row that cannot be read');
      return undefined;
    }
  }

  private tell(): void {
    for (const resource of RESOURCES) this.tables[resource].tell(this.log);
    if (this.isKnown) this.known.wake();
  }

  private *all(): Iterable<JournalEntry> {
    for (const resource of RESOURCES)
      for (const [key, value] of this.tables[resource].entries())
        yield { resource, key, text: stringifyJson(value) };
  }
}

class Table<T> implements RowTable<T> {
  private readonly rows = new Map<string, { readonly value: T; readonly digest: string }>();
  private readonly listeners = new Set<(keys: ReadonlySet<string>) => void>();
  private changed = new Set<string>();

  constructor(private readonly shape: z.ZodType) {}

  get(key: string): T | undefined {
    return this.rows.get(key)?.value;
  }

  *list(): IterableIterator<T> {
    for (const { value } of this.rows.values()) yield value;
  }

  *entries(): IterableIterator<[key: string, value: T]> {
    for (const [key, { value }] of this.rows) yield [key, value];
  }

  keys(): IterableIterator<string> {
    return this.rows.keys();
  }

  onChange(listener: (keys: ReadonlySet<string>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Whether it is another than before. @throws Error when it cannot be read */
  put(key: string, text: string): boolean {
    // With each new session all rows come again: most are as they were.
    const digest = createHash('sha256').update(text).digest('base64');
    if (this.rows.get(key)?.digest === digest) return false;
    const value = parseJson(text);
    this.shape.parse(value);
    this.rows.set(key, { value: value as T, digest });
    this.changed.add(key);
    return true;
  }

  delete(key: string): boolean {
    if (!this.rows.delete(key)) return false;
    this.changed.add(key);
    return true;
  }

  tell(log: Log): void {
    if (this.changed.size === 0) return;
    const keys = this.changed;
    this.changed = new Set();
    for (const listener of this.listeners)
      try {
        listener(keys);
      } catch (error) {
        log.error({ err: describeError(error) }, 'a change of the network was not followed');
      }
  }
}

type TableResource = NetworkRowResource | PolicyRowResource;

const RESOURCES = [...Object.values(POLICY_ROW), ...Object.values(NETWORK_ROW)];

const isNetworkRow = (resource: string): resource is TableResource =>
  RESOURCES.some((each) => each === resource);

/** What readers rely on: the rest the server has checked. */
const objectSchema = (): z.ZodType =>
  z.looseObject({ metadata: z.looseObject({ name: z.string(), namespace: z.string() }) });

const chunkSchema = (): z.ZodType =>
  z.looseObject({ set: z.string(), nodeName: z.string(), entries: z.array(z.string()) });

const policySchema = (): z.ZodType => z.looseObject({ key: z.string() });

const podPoliciesSchema = (): z.ZodType =>
  z.looseObject({ uid: z.string(), policies: z.array(z.string()) });

const clusterSchema = (): z.ZodType =>
  z.looseObject({
    podCidrs: z.array(z.string()),
    serviceCidrs: z.array(z.string()),
    nodePortRange: z.looseObject({ first: z.number(), last: z.number() }),
    clusterDns: z.array(z.string()),
    clusterDomain: z.string(),
  });
