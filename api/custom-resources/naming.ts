import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from '../types';

type Condition = Pick<CustomResourceDefinitionCondition, 'type' | 'status' | 'reason' | 'message'>;

/** Names that nobody else may have in a group. */
export interface UsedNames {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

/** What the names of these definitions take up: all that were accepted, with what is always there. */
export const usedNames = (
  accepted: readonly CustomResourceDefinitionNames[],
  reserved: readonly { readonly plural: string; readonly kind: string }[],
): UsedNames => ({
  resources: new Set([
    ...accepted.flatMap(({ plural, singular = '', shortNames = [] }) => [
      plural,
      singular,
      ...shortNames,
    ]),
    ...reserved.flatMap(({ plural, kind }) => [plural, kind.toLowerCase()]),
  ]),
  kinds: new Set([
    ...accepted.flatMap(({ kind, listKind = '' }) => [kind, listKind]),
    ...reserved.flatMap(({ kind }) => [kind, `${kind}List`]),
  ]),
});

/**
 * The names that a definition has from now on, each if it is its own already or free, and whether those
 * are all that it wants. Source: upstream's controller/status/naming_controller.go.
 */
export const acceptNames = (
  { spec, status }: CustomResourceDefinition,
  used: UsedNames,
): { readonly names: CustomResourceDefinitionNames; readonly condition: Condition } => {
  const wanted = spec.names;
  const own = status.acceptedNames ?? NONE;
  const names: Record<string, unknown> = { ...own };
  let conflict: Omit<Condition, 'type' | 'status'> | undefined;
  const take = (field: 'plural' | 'singular' | 'kind' | 'listKind', among: ReadonlySet<string>) => {
    const name = wanted[field] ?? '';
    if (name === (own[field] ?? '') || !among.has(name)) names[field] = name;
    else
      conflict = { reason: REASONS[field], message: `${JSON.stringify(name)} is already in use` };
  };
  take('plural', used.resources);
  take('singular', used.resources);
  const shortNames = wanted.shortNames ?? [];
  const taken = shortNames.filter(
    (name) => !(own.shortNames ?? []).includes(name) && used.resources.has(name),
  );
  if (taken.length > 0) conflict = { reason: 'ShortNamesConflict', message: inUse(taken) };
  else if (shortNames.length > 0) names['shortNames'] = shortNames;
  else delete names['shortNames'];
  take('kind', used.kinds);
  take('listKind', used.kinds);
  if (wanted.categories === undefined) delete names['categories'];
  else names['categories'] = wanted.categories;
  const condition: Condition =
    conflict === undefined
      ? { ...ACCEPTED, reason: 'NoConflicts', message: 'no conflicts found' }
      : { ...ACCEPTED, status: 'False', ...conflict };
  return { names: names as unknown as CustomResourceDefinitionNames, condition };
};

/** Several at once are told as upstream tells of several errors. */
const inUse = (names: readonly string[]): string => {
  const texts = names.map((name) => `${JSON.stringify(name)} is already in use`);
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
};

const NONE: CustomResourceDefinitionNames = { plural: '', kind: '' };
const ACCEPTED = { type: 'NamesAccepted', status: 'True' } as const;
const REASONS = {
  plural: 'PluralConflict',
  singular: 'SingularConflict',
  kind: 'KindConflict',
  listKind: 'ListKindConflict',
} as const;
