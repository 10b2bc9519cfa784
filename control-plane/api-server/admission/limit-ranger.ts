import { quantitiesOf, type Amounts } from '../../../api/amounts';
import { claimProblems, containerDefaults, limitProblems } from '../../../api/limits';
import { LIMIT_RANGES, PERSISTENT_VOLUME_CLAIMS, PODS } from '../../../api/resources';
import type { ApiObject, LimitRange, Pod } from '../../../api/types';
import { fieldsAt, isFields, listAt, textAt, type Fields } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { objectOf, type AdmissionAttributes } from './attributes';
import { isNewPod, specIn } from './pods';
import { refusal } from './refusal';

/** Gives containers what the limit ranges of their namespace have for them, and holds pods to those. */
export const limitRanger = (reader: AdmissionReader): AdmissionPlugin => {
  const rangesFor = async (
    { namespace }: AdmissionAttributes,
    signal: AbortSignal,
  ): Promise<readonly LimitRange[]> => {
    await reader.ready(LIMIT_RANGES.plural, signal);
    return reader.list(LIMIT_RANGES.plural, namespace);
  };
  return {
    name: 'LimitRanger',
    handles: (asked) => isNewPod(asked) || isResizedPod(asked) || isClaim(asked),
    admit: async (asked, signal) => {
      if (!isNewPod(asked)) return false;
      const ranges = await rangesFor(asked, signal);
      return ranges.map((range) => giveDefaults(asked, range)).includes(true);
    },
    validate: async (asked, signal) => {
      for (const range of await rangesFor(asked, signal)) {
        const problems = [...new Set(problemsOf(asked, range))];
        if (problems.length === 0) continue;
        const [first = ''] = problems;
        throw refusal(asked, problems.length === 1 ? first : `[${problems.join(', ')}]`);
      }
    },
  };
};

/** Says what it gave in an annotation, as upstream; did it give any? */
const giveDefaults = (asked: AdmissionAttributes, range: LimitRange): boolean => {
  const spec = specIn(asked);
  const { limits, requests } = containerDefaults(range);
  const given = [
    ...listAt(spec, 'containers').map((each) => [each, 'container'] as const),
    ...listAt(spec, 'initContainers').map((each) => [each, 'init container'] as const),
  ].flatMap(([container, what]) => {
    if (!isFields(container)) return [];
    const sayOf = (names: readonly string[], list: string): readonly string[] =>
      names.length === 0
        ? []
        : [`${names.join(', ')} ${list} for ${what} ${textAt(container, 'name')}`];
    const limited = fill(container, 'limits', limits);
    return [...sayOf(fill(container, 'requests', requests), 'request'), ...sayOf(limited, 'limit')];
  });
  if (given.length === 0) return false;
  const { metadata } = objectOf(asked);
  const text = `LimitRanger plugin set: ${given.join('; ')}`;
  metadata.annotations = { ...metadata.annotations, [ANNOTATION]: text };
  return true;
};

/** Names of what the container did not have, in order. */
const fill = (
  container: Fields,
  list: 'limits' | 'requests',
  defaults: Readonly<Record<string, string>>,
): readonly string[] => {
  const present = fieldsAt(container, 'resources', list);
  const missing = Object.keys(defaults)
    .filter((name) => !Object.hasOwn(present, name))
    .sort();
  if (missing.length > 0)
    container['resources'] = {
      ...fieldsAt(container, 'resources'),
      [list]: { ...defaults, ...present },
    };
  return missing;
};

const problemsOf = (asked: AdmissionAttributes, range: LimitRange): readonly string[] => {
  const object = objectOf(asked);
  return asked.kind.resource === PODS
    ? limitProblems(range, (object as unknown as Pod).spec)
    : claimProblems(range, storageOf(object), storageOf(asked.old));
};

const storageOf = (claim: ApiObject | undefined): Amounts =>
  quantitiesOf(fieldsAt(claim, 'spec', 'resources', 'requests') as Record<string, string>);

const isResizedPod = ({ kind: { resource }, subresource }: AdmissionAttributes) =>
  resource === PODS && subresource === 'resize';

/** Claims may grow: they are held to the limits again. */
const isClaim = ({ kind: { resource }, subresource, operation, old }: AdmissionAttributes) =>
  resource === PERSISTENT_VOLUME_CLAIMS &&
  subresource === '' &&
  (operation === 'CREATE' ||
    (operation === 'UPDATE' && old?.metadata.deletionTimestamp === undefined));

const ANNOTATION = 'kubernetes.io/limit-ranger';
