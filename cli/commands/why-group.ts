import type { PodExplanation } from '../../api/decisions';
import { POD_GROUP_LABEL } from '../../api/pod-groups';
import {
  pathOf,
  POD_EXPLANATIONS,
  POD_GROUPS,
  PODS,
  SCHEDULING_DECISIONS,
} from '../../api/resources';
import type { Pod } from '../../api/types';
import { ApiError } from '../../api/errors';
import type { CliContext } from '../context';
import { formatViews, type OutputFormat } from '../output/format';
import type { NamedTarget } from '../targets';
import { unlessForbidden } from '../unless-forbidden';
import { explainGroup, renderGroup, type TextStyle } from '../why';
import { qualifiedKind } from './get';

export const isPodGroup = ({ info }: NamedTarget): boolean =>
  info.kind === POD_GROUPS.kind && info.group === POD_GROUPS.group;

/** Who of a group is placed, who is missing and why, and when it gives up. */
export const whyGroup = async (
  context: CliContext,
  { info, name }: NamedTarget,
  format: OutputFormat,
  styleOf: (isWide: boolean) => TextStyle,
): Promise<void> => {
  const { client, terminal, namespace = 'default', signal } = context;
  const group = await client.get(POD_GROUPS, { namespace, name }, signal);
  const labelSelector = `${POD_GROUP_LABEL}=${name}`;
  const [{ items: pods }, records] = await Promise.all([
    client.list(PODS, { namespace, labelSelector }, signal),
    unlessForbidden(client.list(SCHEDULING_DECISIONS, { namespace }, signal)),
  ]);
  const waiting = pods.find(({ spec }) => spec.nodeName === undefined);
  const explained = waiting && (await unlessForbidden(explanationOf(context, waiting)));
  const document = explainGroup(group, pods, records?.items ?? [], explained);
  const table = (isWide: boolean) => renderGroup(document, styleOf(isWide));
  terminal.out.write(
    formatViews({ document, names: [`${qualifiedKind(info)}/${name}`], table }, format),
  );
};

const explanationOf = async (
  { client, signal, namespace = 'default' }: CliContext,
  { metadata: { name } }: Pod,
): Promise<PodExplanation['status'] | undefined> => {
  const path = pathOf(POD_EXPLANATIONS, namespace, name);
  try {
    return (await client.json<PodExplanation>({ method: 'GET', path, signal })).status;
  } catch (error) {
    // It has gone meanwhile.
    if (error instanceof ApiError && error.reason === 'NotFound') return undefined;
    throw error;
  }
};
