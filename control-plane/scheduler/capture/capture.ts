import { ApiError } from '../../../api/errors';
import type {
  CapturedDecision,
  CapturedPlace,
  CapturedProfile,
  CapturedState,
  CapturedStep,
  CapturedStorage,
  SchedulerCaptureSpec,
} from '../../../api/scheduler-captures';
import { keyOf, nameKey, type Namespace, type PersistentVolumeClaim } from '../../../api/types';
import type { PodDisruptionBudget } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { stringifyJson } from '../../../lib/json';
import type { Profile } from '../profile';
import type { Journal, JournalDecision, JournalEntry } from '../replay/journal';
import type { PodOnNode } from '../snapshot-change';
import type { ClusterView, Snapshot } from '../snapshot';
import { CAPTURE_BYTES_MAX, FORMAT_VERSION } from './format';
import { keptBudget, keptNode, keptPod, keptVolumes } from './kept';

/** What goes into a capture beside the decisions and their cluster. */
export interface CaptureSources {
  readonly namespaces: { list(): Iterable<Namespace> };
  readonly budgets: { list(): Iterable<PodDisruptionBudget> };
  readonly claims: { list(): Iterable<PersistentVolumeClaim> };
  /** The file that the scheduler is configured by, if there is one. */
  readonly configuration?: string;
  readonly dhowVersion: string;
}

interface Circumstances {
  readonly sources: CaptureSources;
  readonly profiles: readonly Profile[];
  readonly seed: number;
  /** Wall-clock milliseconds. */
  readonly nowMs: number;
}

/**
 * The decisions asked for with the state before the first and what happened in between, as JSON text. Yields
 * often: others may run between.
 * @throws NotFound where no such decision is remembered, RequestEntityTooLarge beyond `CAPTURE_BYTES_MAX`
 */
export function* captureText(
  journal: Journal,
  { last, pod }: SchedulerCaptureSpec,
  circumstances: Circumstances,
): Generator<undefined, string> {
  const wanted = pod === undefined ? undefined : nameKey(pod);
  const isWanted = ({ info }: JournalDecision) => wanted === undefined || info.key === wanted;
  const { start, entries } = yield* journal.stretch(last, isWanted);
  if (entries.length === 0)
    throw new ApiError(
      'NotFound',
      `no decision${wanted === undefined ? '' : ` about pod ${wanted}`} is remembered with the state in which it was taken`,
    );
  const text = new BoundedText(CAPTURE_BYTES_MAX);
  // Without its closing bracket: what is large follows piece by piece.
  text.add(stringifyJson(headOf(start, nodeNames(start, entries), circumstances)).slice(0, -1));
  text.add(',"start":{"nodes":');
  yield* text.addList(start.nodes, ({ node }) => keptNode(node));
  text.add(',"placements":');
  yield* text.addList(start.placed(), placeOf);
  text.add(',"nominations":');
  yield* text.addList(start.nominated(), placeOf);
  text.add('},"steps":');
  yield* text.addList(entries, (entry) => stepOf(entry, start));
  text.add('}');
  return text.whole;
}

/** Those there are at first, and those that come. */
const nodeNames = ({ nodes }: Snapshot, entries: readonly JournalEntry[]): ReadonlySet<string> =>
  new Set([
    ...nodes.map(({ name }) => name),
    ...entries.flatMap((entry) => (entry.kind === 'node' ? [entry.name] : [])),
  ]);

const headOf = (
  cluster: Snapshot,
  nodes: Iterable<string>,
  { sources, profiles, seed, nowMs }: Circumstances,
): Omit<CapturedState, 'start' | 'steps'> => ({
  ...{ formatVersion: FORMAT_VERSION, dhowVersion: sources.dhowVersion },
  ...{ time: rfc3339(nowMs), seed },
  ...(sources.configuration === undefined ? {} : { configuration: sources.configuration }),
  profiles: profiles.map(profileOf),
  namespaces: Object.fromEntries(
    [...sources.namespaces.list()].map(({ metadata }) => [metadata.name, metadata.labels ?? {}]),
  ),
  budgets: [...sources.budgets.list()].map(keptBudget),
  storage: storageOf(cluster, [...nodes], [...sources.claims.list()].map(keyOf)),
});

const profileOf = ({ schedulerName, filters, scores }: Profile): CapturedProfile => ({
  schedulerName,
  filters: filters.map(({ name }) => name),
  scores: scores.map(({ plugin, weight }) => ({ name: plugin.name, weight })),
});

const storageOf = (
  { storage }: ClusterView,
  nodes: readonly string[],
  claims: readonly string[],
): CapturedStorage => ({
  limits: Object.fromEntries(
    nodes.flatMap((name) => {
      const limits = storage.limitsOn(name);
      return limits.size === 0 ? [] : [[name, Object.fromEntries(limits)] as const];
    }),
  ),
  counted: Object.fromEntries(
    claims.flatMap((key) => {
      const counted = storage.countedBy(key);
      return counted === undefined ? [] : [[key, counted] as const];
    }),
  ),
  leftovers: Object.fromEntries(storage.leftovers()),
});

const placeOf = ({ info, nodeName }: PodOnNode): CapturedPlace => ({
  pod: keptPod(info.pod),
  nodeName,
});

const stepOf = (entry: JournalEntry, cluster: ClusterView): CapturedStep => {
  switch (entry.kind) {
    case 'decision':
      return decisionOf(entry, cluster);
    case 'node': {
      const { kind, name, after } = entry;
      return { kind, name, ...(after === undefined ? {} : { node: keptNode(after) }) };
    }
    default: {
      const { kind, uid, after } = entry;
      return { kind, uid, ...(after === undefined ? {} : { place: placeOf(after) }) };
    }
  }
};

const decisionOf = (
  { kind, info, record: { spec, status } }: JournalDecision,
  { selectorFor }: ClusterView,
): CapturedDecision => {
  const { nodeName, nodesFeasible, reasons, top, margin, decidedBy, message } = status;
  return {
    kind,
    pod: keptPod(info.pod),
    selector: selectorFor(info),
    ...(info.volumes === undefined ? {} : { volumes: keptVolumes(info.volumes) }),
    spec: { attempt: spec.attempt, time: spec.time },
    status: {
      ...{ nodesFeasible, reasons, top, message },
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(margin === undefined ? {} : { margin }),
      ...(decidedBy === undefined ? {} : { decidedBy }),
    },
  };
};

/** Text that grows to a limit. */
class BoundedText {
  private readonly pieces: string[] = [];
  private bytes = 0;

  constructor(private readonly bytesMax: number) {}

  get whole(): string {
    return this.pieces.join('');
  }

  add(piece: string): void {
    this.bytes += Buffer.byteLength(piece);
    if (this.bytes > this.bytesMax)
      throw new ApiError(
        'RequestEntityTooLarge',
        `the state is larger than ${this.bytesMax / 2 ** 20} MiB: ask for fewer decisions, or of one pod`,
      );
    this.pieces.push(piece);
  }

  *addList<T>(items: Iterable<T>, valueOf: (item: T) => unknown): Generator<undefined, void> {
    let separator = '[';
    for (const item of items) {
      this.add(separator + stringifyJson(valueOf(item)));
      separator = ',';
      yield undefined;
    }
    this.add(separator === '[' ? '[]' : ']');
  }
}
