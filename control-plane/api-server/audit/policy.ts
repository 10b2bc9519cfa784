import { z } from 'zod';
import { readYaml } from '../../../api/yaml';
import type { Attributes } from '../auth/access-attributes';
import type { User } from '../auth/user';

/** How much of a request is written down, from nothing to everything. */
export type Level = 'None' | 'Metadata' | 'Request' | 'RequestResponse';
export type Stage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';

/** What a policy says of one request. */
export interface AuditDecision {
  readonly level: Level;
  readonly omitStages: readonly Stage[];
  readonly omitManagedFields: boolean;
}

const level = z.enum(['None', 'Metadata', 'Request', 'RequestResponse']);
const stage = z.enum(['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic']);
const texts = z.array(z.string()).nullish();
const path = z
  .string()
  .refine(
    (text) => text === '*' || text.startsWith('/'),
    'non-resource URL rules must begin with a "/" character',
  )
  .refine(
    (text) => !text.slice(0, -1).includes('*'),
    "non-resource URL wildcards '*' must be the final character of the rule",
  );
const ruleSchema = z
  .strictObject({
    level,
    users: texts,
    userGroups: texts,
    verbs: texts,
    resources: z
      .array(
        z.strictObject({ group: z.string().default(''), resources: texts, resourceNames: texts }),
      )
      .nullish(),
    namespaces: texts,
    nonResourceURLs: z.array(path).nullish(),
    omitStages: z.array(stage).nullish(),
    omitManagedFields: z.boolean().nullish(),
  })
  .refine(
    ({ nonResourceURLs, resources, namespaces }) =>
      (nonResourceURLs ?? []).length === 0 ||
      ((resources ?? []).length === 0 && (namespaces ?? []).length === 0),
    'rules cannot apply to both regular resources and non-resource URLs',
  );
const policySchema = z.strictObject({
  apiVersion: z.literal('audit.k8s.io/v1'),
  kind: z.literal('Policy'),
  metadata: z.unknown().optional(),
  omitStages: z.array(stage).nullish(),
  omitManagedFields: z.boolean().default(false),
  rules: z.array(ruleSchema).min(1, 'loaded illegal policy with 0 rules').max(10_000),
});

export type AuditPolicy = z.output<typeof policySchema>;
type Rule = AuditPolicy['rules'][number];

/** Of a policy file of audit.k8s.io/v1. @throws Error that names each wrong field */
export const parseAuditPolicy = (text: string): AuditPolicy => {
  const documents = readYaml(text, { bytesMax: POLICY_BYTES_MAX });
  const result = policySchema.safeParse(documents[0]?.value);
  if (result.success && documents.length === 1) return result.data;
  const problems = result.success
    ? ['it must be one document']
    : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`invalid audit policy: ${problems.join('; ')}`);
};

/** The first rule that fits decides; without one nothing is written. */
export const decideAudit = (
  policy: AuditPolicy,
  user: User,
  attributes: Attributes,
): AuditDecision => {
  const omitStages = policy.omitStages ?? [];
  const rule = policy.rules.find((each) => fits(each, user, attributes));
  if (rule === undefined)
    return { level: 'None', omitStages, omitManagedFields: policy.omitManagedFields };
  return {
    level: rule.level,
    omitStages: [...omitStages, ...(rule.omitStages ?? [])],
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields,
  };
};

const fits = (rule: Rule, user: User, attributes: Attributes): boolean => {
  const { users, userGroups, verbs, resources, namespaces, nonResourceURLs } = rule;
  if (!isAmong(users, user.name) || !isAmong(verbs, attributes.verb)) return false;
  if ((userGroups ?? []).length > 0 && !user.groups.some((group) => isAmong(userGroups, group)))
    return false;
  if ((namespaces ?? []).length > 0 || (resources ?? []).length > 0)
    return attributes.path === undefined && fitsResource(rule, attributes);
  if ((nonResourceURLs ?? []).length === 0) return true;
  return (nonResourceURLs ?? []).some((each) => fitsPath(each, attributes.path));
};

const fitsPath = (rule: string, asked: string | undefined): boolean =>
  asked !== undefined &&
  (rule === '*' || rule === asked || (rule.endsWith('*') && asked.startsWith(rule.slice(0, -1))));

const fitsResource = ({ namespaces, resources }: Rule, attributes: Attributes): boolean => {
  if (!isAmong(namespaces, attributes.namespace)) return false;
  if ((resources ?? []).length === 0) return true;
  const { group, resource, subresource, name } = attributes;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const isNamed = (rule: string): boolean =>
    rule === '*' ||
    rule === full ||
    (subresource !== '' && rule === `*/${subresource}`) ||
    (rule.endsWith('/*') && rule.slice(0, -2) === resource);
  return (resources ?? []).some((each) => {
    if (each.group !== group && each.group !== '*') return false;
    const names = each.resources ?? [];
    return names.length === 0 || (isAmong(each.resourceNames, name) && names.some(isNamed));
  });
};

/** An empty list is about all. */
const isAmong = (list: readonly string[] | null | undefined, value: string): boolean =>
  (list ?? []).length === 0 || (list ?? []).includes(value);

const POLICY_BYTES_MAX = 1024 * 1024;
