import { containersIn } from '../../api/pod-in';
import { PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import type { CliContext } from '../context';
import { coloured, prefixed } from '../log-lines';
import { messageOf } from '../message';
import { UsageError } from '../usage-error';
import { changesOf } from '../waiting';
import { defaultContainerOf, openLog, type LogsOptions } from './logs';

/** Which pods' logs. */
export interface Selection {
  readonly labelSelector: string;
  /** The pods that are there now. */
  readonly pods: readonly Pod[];
  readonly resourceVersion: string;
}

/**
 * Copies the logs of several containers: one after the other, or with `--follow` all at once, those of
 * pods that are made meanwhile too.
 */
export const manyLogs = async (
  context: CliContext,
  { labelSelector, pods, resourceVersion }: Selection,
  options: LogsOptions,
): Promise<void> => {
  const max = options.maxLogRequests ?? REQUESTS_MAX;
  const sources = pods.flatMap((pod) => sourcesIn(pod, options));
  if (options.follow !== true) {
    for (const source of sources) await copy(context, source, options);
    return;
  }
  if (sources.length > max) {
    throw new UsageError(
      `you are attempting to follow ${sources.length} log streams, but maximum allowed concurrency is ${max}, use --max-log-requests to increase the limit`,
    );
  }
  const followers = new Followers(context, options, max);
  for (const source of sources) followers.add(source);
  if (labelSelector === '') return followers.done();
  const place = { namespace: context.namespace ?? '', labelSelector, resourceVersion };
  for await (const event of changesOf(context, PODS, place)) {
    const { phase = 'Pending' } = event.object.status;
    if (event.type === 'DELETED' || phase === 'Pending') continue;
    for (const source of sourcesIn(event.object, options)) followers.add(source);
  }
};

interface Source {
  readonly pod: Pod;
  readonly container: string;
}

const sourcesIn = (pod: Pod, { container, allContainers }: LogsOptions): readonly Source[] => {
  const all = containersIn(pod.spec).map(([{ name }]) => name);
  if (allContainers === true) return all.map((name) => ({ pod, container: name }));
  return [{ pod, container: container ?? defaultContainerOf(pod) }];
};

/** The logs that are followed, each once. */
class Followers {
  private readonly seen = new Set<string>();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly context: CliContext,
    private readonly options: LogsOptions,
    private readonly max: number,
  ) {}

  add(source: Source): void {
    const { pod, container } = source;
    const key = `${pod.metadata.uid ?? ''}/${container}`;
    if (this.seen.has(key)) return;
    const { err } = this.context.terminal;
    if (this.running.size >= this.max) {
      err.write(`pod/${pod.metadata.name} is not followed: see --max-log-requests\n`);
      this.seen.add(key);
      return;
    }
    this.seen.add(key);
    const work = copy(this.context, source, this.options)
      .catch((error: unknown) => {
        // It may be yet to start: the next change of the pod tries again.
        this.seen.delete(key);
        if (!this.context.signal.aborted) err.write(`${messageOf(error)}\n`);
      })
      .finally(() => this.running.delete(work));
    this.running.add(work);
  }

  async done(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }
}

const copy = async (
  context: CliContext,
  { pod, container }: Source,
  options: LogsOptions,
): Promise<void> => {
  const { terminal, signal } = context;
  const { name, namespace = '' } = pod.metadata;
  const response = await openLog({ ...context, namespace }, name, container, options);
  const mark = `[pod/${name}/${container}] `;
  const prefix =
    options.prefix !== true ? '' : terminal.isInteractive ? coloured(name, mark) : mark;
  try {
    for await (const lines of prefixed(response, prefix)) {
      if (!terminal.out.write(lines)) {
        await new Promise((resolve) => terminal.out.once('drain', resolve));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
};

const REQUESTS_MAX = 5;
