import { NAMESPACES, type Resource } from '../../../../api/resources';
import { matchesLabelSelector, type Labels } from '../../../../api/selectors';
import type { ApiObject, LabelSelector } from '../../../../api/types';
import { notFound } from '../../../../api/errors';
import type { KindRegistry } from '../../kinds/kind-registry';
import { fieldsAt } from '../../kinds/mutable';
import { storeNameOf, type ServedKind } from '../../kinds/served-kind';
import { namespaceOf, type AdmissionReader } from '../admission-reader';
import type { AdmissionAttributes } from '../attributes';
import { matchesRule, type MatchRule } from './match-rules';

/** Which requests a webhook, or a policy, is for. */
export interface MatchCriteria {
  /** Absent: all requests. None in the list: no request. */
  readonly rules?: readonly MatchRule[];
  /** What is left out though a rule covers it. */
  readonly excludeRules?: readonly MatchRule[];
  /** `Exact`: the version must be the one that was asked for. Default `Equivalent`. */
  readonly matchPolicy?: string;
  /** Absent, or empty: all namespaces. Objects outside namespaces are never left out by it. */
  readonly namespaceSelector?: LabelSelector;
  /** Of the object, or of what it was. Absent, or empty: all objects. */
  readonly objectSelector?: LabelSelector;
}

export interface MatcherDeps {
  readonly reader: AdmissionReader;
  readonly kinds: Pick<KindRegistry, 'kinds'>;
}

/** Tells whether a request is one that a webhook or a policy is for. */
export class RequestMatcher {
  constructor(private readonly deps: MatcherDeps) {}

  /**
   * The kind, by the version of it that the criteria name: another than was asked for when only that
   * is named and the criteria allow equivalents. Undefined when the request is none of theirs.
   * @throws NotFound when all else matches and the namespace is not there
   */
  async match(
    criteria: MatchCriteria,
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Promise<ServedKind | undefined> {
    const { rules, excludeRules = [] } = criteria;
    if (this.covering(excludeRules, criteria, asked) !== undefined) return undefined;
    const kind = rules === undefined ? asked.kind : this.covering(rules, criteria, asked);
    if (kind === undefined || !matchesObject(criteria.objectSelector, asked)) return undefined;
    return (await this.matchesNamespace(criteria.namespaceSelector, asked, signal))
      ? kind
      : undefined;
  }

  private covering(
    rules: readonly MatchRule[],
    { matchPolicy = 'Equivalent' }: MatchCriteria,
    asked: AdmissionAttributes,
  ): ServedKind | undefined {
    if (rules.some((rule) => matchesRule(rule, asked, asked.kind.resource))) return asked.kind;
    if (matchPolicy !== 'Equivalent') return undefined;
    const others = this.equivalents(asked.kind);
    for (const rule of rules)
      for (const other of others) if (matchesRule(rule, asked, other.resource)) return other;
    return undefined;
  }

  /** Other versions of the same stored objects. */
  private equivalents(kind: ServedKind): readonly ServedKind[] {
    const name = storeNameOf(kind);
    return this.deps.kinds.kinds.filter(
      (other) => other.resource !== kind.resource && storeNameOf(other) === name,
    );
  }

  private async matchesNamespace(
    selector: LabelSelector | undefined,
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { resource } = asked.kind;
    if (isEmpty(selector) || (!resource.isNamespaced && !isNamespaces(resource))) return true;
    const namespace = isNamespaces(resource)
      ? newestOf(asked)
      : await namespaceOf(this.deps.reader, asked, signal);
    if (namespace === undefined) throw notFound(NAMESPACES.plural, '', namespaceNameOf(asked));
    return matchesLabelSelector(selector, namespace.metadata.labels);
  }
}

/** Upstream's `request.namespace`: a namespace lies in itself. */
export const namespaceNameOf = ({ kind, namespace, name, object }: AdmissionAttributes): string =>
  isNamespaces(kind.resource) ? name || (object?.metadata.name ?? '') : namespace;

const matchesObject = (
  selector: LabelSelector | undefined,
  { object, old }: AdmissionAttributes,
): boolean =>
  isEmpty(selector) ||
  [object, old].some(
    (each) => each !== undefined && matchesLabelSelector(selector, labelsOf(each)),
  );

/** What is posted to a subresource need not be decoded yet. */
const labelsOf = (object: unknown): Labels => fieldsAt(object, 'metadata', 'labels') as Labels;

/** A namespace that is made or changed has its new labels already; what is done to one has its own. */
const newestOf = ({ subresource, object, old }: AdmissionAttributes): ApiObject | undefined =>
  subresource === '' ? (object ?? old) : old;

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  Object.keys(selector?.matchLabels ?? {}).length === 0 &&
  (selector?.matchExpressions ?? []).length === 0;

const isNamespaces = (resource: Resource): boolean => resource === NAMESPACES;
