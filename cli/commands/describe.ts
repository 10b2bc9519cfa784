import { systemClock } from '../../lib/clock';
import { SERVICE_NAME_LABEL } from '../../api/endpoint-slices';
import { isOfKind } from '../../api/owners';
import {
  DAEMON_SETS,
  ENDPOINT_SLICES,
  EVENTS,
  INGRESSES,
  LIMIT_RANGES,
  NAMESPACES,
  NODES,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  RESOURCE_QUOTAS,
  SERVICES,
} from '../../api/resources';
import { formatLabelSelector, podSelectorOf } from '../../api/selectors';
import type { ApiObject } from '../../api/types';
import type { ListOptions } from '../../client/api-client';
import type { CliContext } from '../context';
import { describeObject } from '../describe/describe';
import { parseTargets, type Target } from '../targets';
import { unlessForbidden } from '../unless-forbidden';
import { collectFound } from './found';

export interface DescribeOptions {
  readonly selector?: string;
}

/** Prints objects for reading, each with its recent events. */
export const describe = async (
  context: CliContext,
  args: readonly string[],
  options: DescribeOptions,
): Promise<void> => {
  const targets = await parseTargets(context, args);
  const { found, failure } = await collectFound(targets, (target) =>
    find(context, target, options.selector),
  );
  const objects = found.flatMap(([, each]) => each);
  if (objects.length === 0 && failure === undefined) {
    context.terminal.err.write('No resources found\n');
  }
  const texts: string[] = [];
  for (const object of objects) {
    texts.push(describeObject(object, await surroundingsOf(context, object)));
  }
  context.terminal.out.write(texts.join('\n\n'));
  if (failure !== undefined) throw failure;
};

const find = async (
  { client, namespace, signal }: CliContext,
  { info, name }: Target,
  selector: string | undefined,
): Promise<readonly ApiObject[]> => {
  const place = info.isNamespaced ? (namespace ?? '') : '';
  if (name !== undefined) return [await client.get(info, { namespace: place, name }, signal)];
  const options = {
    namespace: place,
    ...(selector === undefined ? {} : { labelSelector: selector }),
  };
  return (await client.list(info, options, signal)).items;
};

const surroundingsOf = async (context: CliContext, object: ApiObject) => {
  const { client, signal } = context;
  const { name, namespace, uid = '' } = object.metadata;
  const isNode = isOfKind(object, NODES);
  const about = isNode
    ? `involvedObject.kind=Node,involvedObject.name=${name}`
    : `involvedObject.uid=${uid}`;
  const events = client.list(
    EVENTS,
    { fieldSelector: about, ...(namespace === undefined ? {} : { namespace }) },
    signal,
  );
  const selected = podsOf(object);
  const pods =
    selected === undefined ? Promise.resolve({ items: [] }) : client.list(PODS, selected, signal);
  const sliced = slicesOf(object);
  const slices =
    sliced === undefined
      ? Promise.resolve({ items: [] })
      : client.list(ENDPOINT_SLICES, sliced, signal);
  const services = isOfKind(object, INGRESSES)
    ? client.list(SERVICES, { namespace: namespace ?? '' }, signal)
    : Promise.resolve({ items: [] });
  const [happened, found, behind, named, within] = await Promise.all([
    ...([events, pods, slices, services] as const),
    isOfKind(object, NAMESPACES) ? withinOf(context, name) : undefined,
  ]);
  return {
    events: happened.items,
    pods: found.items,
    slices: behind.items,
    services: named.items,
    ...(within === undefined ? {} : { within }),
    nowMs: systemClock.now(),
  };
};

/** Who may see a namespace need not see what is in it. */
const withinOf = async ({ client, signal }: CliContext, namespace: string) => {
  const [quotas, limits] = await Promise.all([
    unlessForbidden(client.list(RESOURCE_QUOTAS, { namespace }, signal)),
    unlessForbidden(client.list(LIMIT_RANGES, { namespace }, signal)),
  ]);
  return { quotas: quotas?.items ?? [], limits: limits?.items ?? [] };
};

/** Which pods the description speaks of. */
const podsOf = (object: ApiObject): ListOptions | undefined => {
  const { name, namespace = '' } = object.metadata;
  if (isOfKind(object, NODES)) return { fieldSelector: `spec.nodeName=${name}` };
  if (isOfKind(object, SERVICES)) return { namespace };
  const isWorkload = WORKLOADS.some((resource) => isOfKind(object, resource));
  const selector = isWorkload ? podSelectorOf(object) : undefined;
  return selector && { namespace, labelSelector: formatLabelSelector(selector) };
};

const slicesOf = (object: ApiObject): ListOptions | undefined => {
  const { name, namespace = '' } = object.metadata;
  if (isOfKind(object, INGRESSES)) return { namespace };
  return isOfKind(object, SERVICES)
    ? { labelSelector: `${SERVICE_NAME_LABEL}=${name}`, namespace }
    : undefined;
};

const WORKLOADS = [DAEMON_SETS, REPLICA_SETS, REPLICATION_CONTROLLERS];
