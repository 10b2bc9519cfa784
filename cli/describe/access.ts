import type {
  ApiObject,
  ClusterRole,
  ClusterRoleBinding,
  Role,
  RoleBinding,
} from '../../api/types';
import { labelRows, type Rows } from './network';
import { tabbed } from './tabbed';

/** As kubectl describes it: one line for what may be done with one resource, or one of its objects. */
export const describeRole = (role: Role | ClusterRole): string =>
  tabbed([
    ...namedRows(role),
    ['PolicyRule:'],
    ['  Resources', 'Non-Resource URLs', 'Resource Names', 'Verbs'],
    ['  ---------', '-----------------', '--------------', '-----'],
    ...linesOf(role.rules ?? []).map(({ subject, urls, names, verbs }) => [
      ...[`  ${subject}`, list(urls), list(names), list(verbs)],
    ]),
  ]);

export const describeBinding = (binding: RoleBinding | ClusterRoleBinding): string =>
  tabbed([
    ...namedRows(binding),
    ['Role:'],
    ['  Kind:', binding.roleRef.kind],
    ['  Name:', binding.roleRef.name],
    ['Subjects:'],
    ['  Kind', 'Name', 'Namespace'],
    ['  ----', '----', '---------'],
    ...(binding.subjects ?? []).map(({ kind, name, namespace = '' }) => [
      ...[`  ${kind}`, name, namespace],
    ]),
  ]);

/** Without the namespace, as kubectl has it for these. */
const namedRows = (object: ApiObject): Rows => [
  ['Name:', object.metadata.name],
  ...labelRows(object).flat(),
];

type Rule = NonNullable<Role['rules']>[number];

interface Line {
  readonly group: string;
  readonly resource: string;
  /** `deployments.apps/status`; empty for URLs. */
  readonly subject: string;
  readonly urls: readonly string[];
  readonly names: readonly string[];
  readonly verbs: readonly string[];
}

/** Pure: the rules taken apart, those of one subject put together, in upstream's order (rbac.go, describe.go). */
const linesOf = (rules: readonly Rule[]): readonly Line[] => {
  const lines = new Map<string, Line>();
  for (const part of rules.flatMap(partsOf)) {
    const { group, resource, urls, names } = part;
    const key = [group, resource, ...urls, '', ...names].join('\n');
    const known = lines.get(key);
    // What is of URLs is not put together.
    if (known === undefined || urls.length > 0)
      lines.set(`${key}${urls.length > 0 ? lines.size : ''}`, part);
    else lines.set(key, { ...known, verbs: [...known.verbs, ...part.verbs] });
  }
  return [...lines.values()].toSorted((a, b) => (sortText(a) < sortText(b) ? -1 : 1));
};

const partsOf = ({
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
  verbs,
}: Rule): readonly Line[] => [
  ...apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      (resourceNames.length === 0 ? [[]] : resourceNames.map((name) => [name])).map((names) => ({
        ...{ group, resource, names, verbs, urls: [] },
        subject: subjectOf(group, resource),
      })),
    ),
  ),
  ...nonResourceURLs.flatMap((url) =>
    verbs.map((verb) => ({
      ...{ group: '', resource: '', subject: '', names: [], urls: [url], verbs: [verb] },
    })),
  ),
];

const subjectOf = (group: string, resource: string): string => {
  const [name = '', ...sub] = resource.split('/');
  return [group === '' ? name : `${name}.${group}`, ...sub].join('/');
};

/** As Go prints a rule, field by field: that is what kubectl sorts by. */
const sortText = ({ group, resource, urls, names, verbs }: Line): string => {
  const isOfUrls = urls.length > 0;
  const fields = [verbs, isOfUrls ? [] : [group], isOfUrls ? [] : [resource], names, urls];
  return fields.map(list).join(' ');
};

const list = (words: readonly string[]): string => `[${words.join(' ')}]`;
