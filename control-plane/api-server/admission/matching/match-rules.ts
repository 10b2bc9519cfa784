import type { Resource } from '../../../../api/resources';
import type { AdmissionAttributes } from '../attributes';

/** What requests a webhook or a policy is for: of upstream's `RuleWithOperations`, named or not. */
export interface MatchRule {
  readonly operations?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  /** `pods`, `pods/status`, `pods/*`, `*`, `*` + `/scale`, or all of it by two stars. */
  readonly resources?: readonly string[];
  /** Of policies. Empty: of any name. */
  readonly resourceNames?: readonly string[];
  /** `Cluster`, `Namespaced` or `*`, which is the default. */
  readonly scope?: string;
}

/** Does a rule cover the request, as if it named `resource`? */
export const matchesRule = (
  rule: MatchRule,
  { operation, subresource, name }: AdmissionAttributes,
  { group, version, plural, isNamespaced }: Resource,
): boolean =>
  matchesScope(rule.scope ?? ANY, isNamespaced) &&
  includes(rule.operations, operation) &&
  includes(rule.apiGroups, group) &&
  includes(rule.apiVersions, version) &&
  (rule.resources ?? []).some((each) => matchesResource(each, plural, subresource)) &&
  ((rule.resourceNames ?? []).length === 0 || rule.resourceNames?.includes(name) === true);

const matchesScope = (scope: string, isNamespaced: boolean): boolean =>
  scope === ANY || scope === (isNamespaced ? 'Namespaced' : 'Cluster');

const includes = (list: readonly string[] = [], wanted: string): boolean =>
  list.includes(ANY) || list.includes(wanted);

/** A rule without a slash is for no subresource. */
const matchesResource = (rule: string, plural: string, subresource: string): boolean => {
  const slash = rule.indexOf('/');
  const [wanted, part] = slash < 0 ? [rule, ''] : [rule.slice(0, slash), rule.slice(slash + 1)];
  return (wanted === ANY || wanted === plural) && (part === ANY || part === subresource);
};

const ANY = '*';
