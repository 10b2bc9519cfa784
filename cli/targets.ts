import { PODS, SERVICES, type Resource } from '../api/resources';
import { formatLabelSelector, podSelectorOf } from '../api/selectors';
import type { ApiObject, Pod } from '../api/types';
import type { CliContext } from './context';
import { UsageError } from './usage-error';
import type { Place } from './waiting';
import type { NamedResource } from './well-known';

/** A kind, and one object of it or all. */
export interface Target {
  readonly info: NamedResource;
  readonly name: string | undefined;
}

/** A target whose namespace a file gives. */
export interface PlacedTarget extends Target {
  readonly namespace?: string;
}

/** Understands `KIND`, `KIND NAME...`, `KIND/NAME...` and `KIND,KIND`. @throws UsageError */
export const parseTargets = async (
  context: CliContext,
  args: readonly string[],
): Promise<readonly Target[]> => {
  const [first, ...names] = args;
  if (first === undefined) {
    throw new UsageError('name a kind: `pods`, `nodes`, `deployments`, ... or KIND/NAME');
  }
  if (args.some((arg) => arg.includes('/'))) return parsePairs(context, args);
  const kinds = first.split(',').filter((kind) => kind !== '');
  const infos = (await Promise.all(kinds.map((kind) => context.resolveAll(kind)))).flat();
  if (names.length === 0) return infos.map((info) => ({ info, name: undefined }));
  const [info, another] = infos;
  if (info === undefined || another !== undefined) {
    throw new UsageError('names can be given for one kind at a time');
  }
  refuseNamesOfAll(context, [info]);
  return names.map((name) => ({ info, name }));
};

const parsePairs = async (
  context: CliContext,
  args: readonly string[],
): Promise<readonly Target[]> => {
  if (!args.every((arg) => arg.includes('/'))) {
    throw new UsageError(
      'there is no need to specify a resource type as a separate argument when passing arguments in resource/name form',
    );
  }
  const targets = await Promise.all(args.map((arg) => parsePair(context, arg)));
  refuseNamesOfAll(
    context,
    targets.map(({ info }) => info),
  );
  return targets;
};

const parsePair = async (context: CliContext, arg: string): Promise<Target> => {
  const [kind = '', name = '', ...rest] = arg.split('/');
  if (kind === '' || name === '' || rest.length > 0) {
    throw new UsageError(
      `arguments in resource/name form must have a single resource and name: "${arg}"`,
    );
  }
  return { info: await context.resolve(kind), name };
};

const refuseNamesOfAll = ({ namespace }: CliContext, infos: readonly Resource[]): void => {
  if (namespace === undefined && infos.some(({ isNamespaced }) => isNamespaced)) {
    throw new UsageError('a resource cannot be retrieved by name across all namespaces');
  }
};

/**
 * The arguments that say what, and those after them that say how: `pod web` and `a=b c-`. Where
 * files say what, all say how.
 */
export const splitChanges = (
  args: readonly string[],
  what: string,
  { filename }: { readonly filename?: readonly string[] } = {},
): { readonly targets: readonly string[]; readonly changes: readonly string[] } => {
  const isChange = (arg: string): boolean => arg.includes('=') || arg.endsWith('-');
  const first = args.findIndex((arg, i) => (i > 0 || filename !== undefined) && isChange(arg));
  const at = first < 0 ? args.length : first;
  const late = args.slice(at).find((arg) => !isChange(arg));
  if (late !== undefined) {
    throw new UsageError(`all resources must be specified before ${what} changes: ${late}`);
  }
  return { targets: args.slice(0, at), changes: args.slice(at) };
};

/**
 * The name of the pod that `NAME`, `pod/NAME` or the `KIND/NAME` of a workload means. Of a workload's
 * pods it is one that is `preferred`, if there is one, and the user is told which.
 */
export const podName = async (
  context: CliContext,
  arg: string,
  preferred: (pod: Pod) => boolean,
): Promise<string> => {
  const target = await podOrWorkload(context, arg);
  if (typeof target === 'string') return target;
  const { pods } = await workloadOf(context, target, arg);
  const chosen = pods.find(preferred) ?? pods[0];
  if (chosen === undefined) throw new UsageError(`${arg} has no pods`);
  const { name: pod } = chosen.metadata;
  if (pods.length > 1) context.terminal.err.write(`Found ${pods.length} pods, using pod/${pod}\n`);
  return pod;
};

/** The name of the pod that is meant, or the workload. @throws UsageError */
export const podOrWorkload = async (
  context: CliContext,
  arg: string,
): Promise<string | NamedTarget> => {
  if (!arg.includes('/')) return arg;
  const { info, name = '' } = await parsePair(context, arg);
  return info.kind === PODS.kind && info.group === PODS.group ? name : { info, name };
};

export interface NamedTarget {
  readonly info: NamedResource;
  readonly name: string;
}

/** A workload, the selector of its pods, and the pods that it selects. @throws UsageError */
export const workloadOf = async (
  { client, namespace = 'default', signal }: CliContext,
  { info, name }: Pick<Place, 'info' | 'name'>,
  arg: string,
): Promise<{
  readonly workload: ApiObject;
  readonly labelSelector: string;
  readonly pods: readonly Pod[];
}> => {
  const workload = await client.get(info, { namespace, name }, signal);
  const selector = podSelectorOf(workload);
  if (selector === undefined)
    throw new UsageError(`"${arg}" has no pods: name a pod, or a workload`);
  const labelSelector = formatLabelSelector(selector);
  const pods = (await client.list(PODS, { namespace, labelSelector }, signal)).items;
  return { workload, labelSelector, pods };
};

export const isService = ({ kind, group }: Pick<Resource, 'kind' | 'group'>): boolean =>
  kind === SERVICES.kind && group === SERVICES.group;

/** The namespace to ask in, where a file says no other; '' for a kind without. */
export const namespaceFor = (
  { namespace }: Pick<CliContext, 'namespace'>,
  info: Pick<NamedResource, 'isNamespaced'>,
  own?: string,
): string => (info.isNamespaced ? (own ?? namespace ?? '') : '');
