import { SCHEDULING_GROUP } from '../../api/decisions';
import type {
  PlacementPlan,
  PlacementPlanSpec,
  PlacementPlanStatus,
} from '../../api/placement-plans';
import { isPodGroup } from '../../api/pod-groups';
import { podIn } from '../../api/pod-in';
import type { ApiObject } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { formatViews, outputFormat } from '../output/format';
import { parseTargets } from '../targets';
import { UsageError } from '../usage-error';
import { renderPlan } from '../why';
import { addedNodes } from './added-nodes';
import { putOptionsOf, readWanted, rehearse } from './apply';

export interface PlanOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly drain?: readonly string[];
  readonly without?: readonly string[];
  readonly addNode?: readonly string[];
  readonly more?: boolean;
  readonly output?: string;
}

/**
 * What would become of pods, by the code that places them on a copy of what it knows. The exit code is 1
 * when a pod would not be placed that does not wait now, or was not tried.
 */
export const plan = async (
  context: CliContext,
  args: readonly string[],
  options: PlanOptions,
): Promise<number> => {
  const { client, terminal, signal } = context;
  const format = outputFormat(options.output);
  const spec = await specOf(context, args, options);
  const answer = await client.json<PlacementPlan>({
    method: 'POST',
    path: `/apis/${SCHEDULING_GROUP}/v1/placementplans`,
    body: stringifyJson({ apiVersion: `${SCHEDULING_GROUP}/v1`, kind: 'PlacementPlan', spec }),
    signal,
  });
  const { status } = answer;
  const style = { color: terminal.isInteractive, width: terminal.columns };
  const table = (isWide: boolean) => renderPlan(status, { ...style, isWide });
  const names = status.placements.map(({ pod }) => `pod/${pod.slice(pod.indexOf('/') + 1)}`);
  terminal.out.write(formatViews({ document: answer, names, table }, format));
  return isWell(status) ? 0 : 1;
};

/** Pure: nobody is left without a node but those that wait already, as far as is known of all. */
export const isWell = ({ placements, omitted = 0 }: PlacementPlanStatus): boolean =>
  omitted === 0 &&
  placements.every(({ outcome, cause }) => outcome === 'Scheduled' || cause === 'Waiting');

const specOf = async (
  context: CliContext,
  args: readonly string[],
  { filename = [], recursive, drain = [], without = [], addNode = [], more }: PlanOptions,
): Promise<PlacementPlanSpec> => {
  const addNodes = addedNodes(addNode);
  const nothing = args.length + filename.length + drain.length + without.length + addNodes.length;
  if (nothing === 0)
    throw new UsageError(
      'what is to be planned? -f FILE, KIND/NAME, --drain, --without or --add-node',
    );
  const there = args.length === 0 ? [] : await liveObjects(context, args);
  const wanted = filename.length === 0 ? [] : await wantedObjects(context, filename, recursive);
  const objects = [...there, ...wanted];
  if (more === true && objects.length === 0)
    throw new UsageError('--more: of what? Name it: KIND/NAME, or -f FILE');
  return { objects, drain, without, addNodes, countsMore: more === true };
};

/** As they would be once the manifests are applied: tried on the server, which fills in the rest. */
const wantedObjects = async (
  context: CliContext,
  filename: readonly string[],
  recursive: boolean | undefined,
): Promise<readonly ApiObject[]> => {
  const wanted = await readWanted(context, {
    filename,
    ...(recursive === undefined ? {} : { recursive }),
  });
  const results = await rehearse(context, wanted, putOptionsOf({}));
  const objects = results.map(({ object }) => object).filter(isPlannable);
  if (objects.length > 0) return objects;
  throw new UsageError(`nothing in ${filename.join(' ')} makes pods`);
};

const isPlannable = (object: ApiObject): boolean =>
  podIn(object) !== undefined || isPodGroup(object);

const liveObjects = async (
  context: CliContext,
  args: readonly string[],
): Promise<readonly ApiObject[]> => {
  const { client, signal, namespace = 'default' } = context;
  const targets = await parseTargets(context, args);
  return Promise.all(
    targets.map(async ({ info, name }) => {
      if (name === undefined) throw new UsageError(`${info.plural}: name one: KIND/NAME`);
      const place = { namespace: info.isNamespaced ? namespace : '', name };
      const object = await client.get(info, place, signal);
      if (!isPlannable(object)) throw new UsageError(`a ${info.kind} makes no pods`);
      return object;
    }),
  );
};
