import { hasReason } from '../../api/errors';
import {
  NODE_METRICS,
  POD_METRICS,
  type NodeMetrics,
  type PodMetrics,
} from '../../api/resource-metrics';
import { NODES, PODS, type Resource } from '../../api/resources';
import type { ApiObject, Pod } from '../../api/types';
import { formatAge } from '../../lib/age';
import { systemClock } from '../../lib/clock';
import type { CliContext } from '../context';
import { formatViews, listDocument, outputFormat } from '../output/format';
import { nodeTable, podTable, type SortBy } from '../top/top-table';
import { UsageError } from '../usage-error';

interface TopOptions {
  readonly selector?: string;
  readonly sortBy?: string;
  /** False with `--no-headers`. */
  readonly headers?: boolean;
  readonly output?: string;
}

export interface TopPodsOptions extends TopOptions {
  readonly fieldSelector?: string;
  readonly containers?: boolean;
  readonly sum?: boolean;
  readonly allNamespaces?: boolean;
}

export interface TopNodesOptions extends TopOptions {
  readonly showCapacity?: boolean;
}

/** What pods use. @throws UsageError, ApiError */
export const topPods = async (
  context: CliContext,
  name: string | undefined,
  options: TopPodsOptions,
): Promise<void> => {
  const sortBy = sortByOf(options.sortBy);
  const format = outputFormat(options.output);
  if (name !== undefined && (options.selector ?? options.fieldSelector) !== undefined)
    throw new UsageError('only one of NAME or selector can be provided');
  const found = await metricsOf(context, POD_METRICS, name, options);
  if (found.length === 0) {
    await explainNothing(context, options);
    const place = context.namespace === undefined ? '' : ` in ${context.namespace} namespace.`;
    context.terminal.err.write(`No resources found${place}\n`);
  }
  const table = () =>
    podTable(found, {
      ...sortedBy(sortBy),
      hasHeader: options.headers !== false,
      showsContainers: options.containers === true,
      showsNamespace: options.allNamespaces === true,
      hasSum: options.sum === true,
    });
  context.terminal.out.write(formatViews({ ...viewsOf(found), table }, format));
};

/** What nodes use. @throws UsageError, ApiError */
export const topNodes = async (
  context: CliContext,
  name: string | undefined,
  options: TopNodesOptions,
): Promise<void> => {
  const { client, signal } = context;
  const sortBy = sortByOf(options.sortBy);
  const format = outputFormat(options.output);
  if (name !== undefined && options.selector !== undefined)
    throw new UsageError('only one of NAME or --selector can be provided');
  const found = await metricsOf(context, NODE_METRICS, name, options);
  if (found.length === 0) throw new UsageError('metrics not available yet');
  const nodes =
    name === undefined
      ? (await client.list(NODES, selectionOf(options), signal)).items
      : [await client.get(NODES, { namespace: '', name }, signal)];
  const ofCapacity = options.showCapacity === true;
  const table = () =>
    nodeTable(found, nodes, {
      ...sortedBy(sortBy),
      ...{ hasHeader: options.headers !== false, ofCapacity },
    });
  context.terminal.out.write(formatViews({ ...viewsOf(found), table }, format));
};

const viewsOf = (found: readonly ApiObject[]) => ({
  document: listDocument(found),
  names: found.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`),
});

const sortByOf = (text: string | undefined): SortBy => {
  if (text === undefined || text === 'cpu' || text === 'memory') return text;
  throw new UsageError('--sort-by accepts only cpu or memory');
};

const sortedBy = (sortBy: SortBy) => (sortBy === undefined ? {} : { sortBy });

const selectionOf = ({ selector, fieldSelector }: TopOptions & { fieldSelector?: string }) => ({
  ...(selector === undefined ? {} : { labelSelector: selector }),
  ...(fieldSelector === undefined ? {} : { fieldSelector }),
});

const metricsOf = async <T extends NodeMetrics | PodMetrics>(
  { client, namespace, signal }: CliContext,
  resource: Resource<T>,
  name: string | undefined,
  options: TopOptions,
): Promise<readonly T[]> => {
  const place = resource.isNamespaced ? (namespace ?? '') : '';
  try {
    if (name !== undefined) return [await client.get(resource, { namespace: place, name }, signal)];
    const selection = { namespace: place, ...selectionOf(options) };
    return (await client.list(resource, selection, signal)).items;
  } catch (error) {
    // A 404 that names nothing: there is no such API.
    if (hasReason(error, 'NotFound') && !error.message.includes('"'))
      throw new UsageError('Metrics API not available');
    throw error;
  }
};

/** There may be pods all the same: of young ones nothing is known yet. @throws UsageError for them */
const explainNothing = async (
  { client, namespace, signal }: CliContext,
  options: TopPodsOptions,
): Promise<void> => {
  const selection = { ...selectionOf(options), namespace: namespace ?? '' };
  const { items } = await client.list(PODS, selection, signal);
  if (items.length === 0) return;
  const old = items.find((pod) => ageMsOf(pod) > METRICS_DELAY_MS);
  if (old === undefined) throw new UsageError('metrics not available yet');
  const { namespace: place = '', name } = old.metadata;
  throw new UsageError(
    `Metrics not available for pod ${place}/${name}, age: ${formatAge(ageMsOf(old))}`,
  );
};

const ageMsOf = ({ metadata }: Pod): number =>
  systemClock.now() - Date.parse(metadata.creationTimestamp ?? '');

/** As long as kubectl gives the metrics of a new pod. */
const METRICS_DELAY_MS = 120_000;
