import { ApiError, qualifiedResource, type StatusReason } from '../../../../api/errors';
import { compilePolicy, type CompiledPolicy } from '../../../../api/policies/compile';
import { VALIDATING_POLICIES, VALIDATING_POLICY_BINDINGS } from '../../../../api/resources';
import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../../api/types';
import { stringifyJson } from '../../../../lib/json';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionPlugin } from '../admission-plugin';
import type { AdmissionAttributes } from '../attributes';
import { isExempt, RequestMatcher } from '../matching';
import { refusal } from '../refusal';
import { evaluatePolicy, type Denial } from './evaluate';
import { ConfigurationError, findParams } from './params';
import { criteriaOf, inOrder, valuesFor, type PoliciesDeps } from './bindings';

/** Holds requests to the policies that are bound to them, in upstream's words. */
export const validatingAdmissionPolicy = (deps: PoliciesDeps): AdmissionPlugin => {
  const policies = new Policies(deps);
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: (asked) => !isExempt(asked),
    validate: (asked, signal) => policies.judge(asked, signal),
  };
};

type Policy = ValidatingAdmissionPolicy;
type Binding = ValidatingAdmissionPolicyBinding;

/** A denial, with who denies. */
interface Denied extends Denial {
  readonly policy: Policy;
  readonly binding: Binding;
}

/** A policy by one of its bindings. */
interface Bound {
  readonly policy: Policy;
  readonly binding: Binding;
  readonly matched: ServedKind;
  readonly notes: Notes;
}

/** What a policy notes in the audit log: whatever its bindings and parameters come to, once each. */
class Notes {
  private readonly values = new Map<string, Set<string>>();

  add(key: string, value: string): void {
    const values = this.values.get(key) ?? new Set();
    this.values.set(key, values.add(value));
  }

  tell({ metadata }: Policy, { annotate }: AdmissionAttributes): void {
    for (const [key, values] of this.values)
      annotate?.(`${metadata.name}/${key}`, [...values].join(', '));
  }
}

class Policies {
  private readonly matcher: RequestMatcher;
  /** By the stored object: a policy that changes is another one. */
  private readonly compiled = new WeakMap<Policy, CompiledPolicy>();

  constructor(private readonly deps: PoliciesDeps) {
    this.matcher = new RequestMatcher(deps);
  }

  /** @throws ApiError of the first denial; all policies are asked, for their warnings */
  async judge(asked: AdmissionAttributes, signal: AbortSignal): Promise<void> {
    const { reader } = this.deps;
    await reader.ready(POLICIES, signal);
    const policies = reader.list(POLICIES) as readonly Policy[];
    if (policies.length === 0) return;
    await reader.ready(BINDINGS, signal);
    const bindings = reader.list(BINDINGS) as readonly Binding[];
    const denied: Denied[] = [];
    for (const policy of inOrder(policies)) {
      const { name } = policy.metadata;
      const bound = inOrder(bindings.filter(({ spec }) => spec?.policyName === name));
      if (bound.length > 0) denied.push(...(await this.ask(policy, bound, asked, signal)));
    }
    if (denied[0] !== undefined) throw refusalOf(denied[0], asked);
  }

  private async ask(
    policy: Policy,
    bindings: readonly Binding[],
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Promise<readonly Denied[]> {
    const criteria = criteriaOf(policy.spec?.matchConstraints, false);
    const matched = await this.matcher.match(criteria, asked, signal);
    if (matched === undefined) return [];
    const denied: Denied[] = [];
    const notes = new Notes();
    for (const binding of bindings) {
      try {
        denied.push(...(await this.askBinding({ policy, binding, matched, notes }, asked, signal)));
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        denied.push(...failing(policy, binding, error));
      }
    }
    notes.tell(policy, asked);
    return denied;
  }

  private async askBinding(
    { policy, binding, matched, notes }: Bound,
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Promise<readonly Denied[]> {
    const { paramRef, matchResources, validationActions = [] } = binding.spec ?? {};
    const criteria = criteriaOf(matchResources, true);
    if ((await this.matcher.match(criteria, asked, signal)) === undefined) return [];
    const { namespace: askedIn } = asked;
    const { paramKind } = policy.spec ?? {};
    const params = await findParams(this.deps, paramKind, paramRef, askedIn, signal);
    const values = await valuesFor(this.deps, asked, matched, signal);
    const denials: Denial[] = [];
    for (const param of params) {
      const given = { ...values, params: param ?? null };
      const outcome = await evaluatePolicy(policy, this.compiledOf(policy), given);
      denials.push(...outcome.denials);
      for (const { key, value } of outcome.annotations) notes.add(key, value);
    }
    if (validationActions.includes('Audit'))
      for (const denial of denials) noteFailure({ ...denial, policy, binding }, asked);
    if (validationActions.includes('Warn'))
      asked.warnings.push(...denials.map(({ message }) => warningOf(policy, binding, message)));
    return validationActions.includes('Deny')
      ? denials.map((denial) => ({ ...denial, policy, binding }))
      : [];
  }

  private compiledOf(policy: Policy): CompiledPolicy {
    const known = this.compiled.get(policy) ?? compilePolicy(policy);
    this.compiled.set(policy, known);
    return known;
  }
}

const failing = (
  policy: Policy,
  binding: Binding,
  { message }: ConfigurationError,
): readonly Denied[] =>
  policy.spec?.failurePolicy === 'Ignore'
    ? []
    : [{ policy, binding, message: `failed to configure binding: ${message}` }];

const refusalOf = ({ policy, binding, message, reason }: Denied, asked: AdmissionAttributes) => {
  const why =
    `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding ` +
    `'${binding.metadata.name}' denied request: ${message}`;
  const { message: full, details } = refusal(asked, why);
  return new ApiError((reason ?? 'Invalid') as StatusReason, full, {
    details: { ...details, causes: [{ reason: '', message: why }] },
  });
};

/** In upstream's form. */
const noteFailure = (
  { policy, binding, message, index: expressionIndex = 0 }: Denied,
  { annotate }: AdmissionAttributes,
): void =>
  annotate?.(
    'validation.policy.admission.k8s.io/validation_failure',
    stringifyJson([
      {
        message,
        policy: policy.metadata.name,
        binding: binding.metadata.name,
        expressionIndex,
        validationActions: binding.spec?.validationActions ?? [],
      },
    ]),
  );

const warningOf = (policy: Policy, binding: Binding, message: string): string =>
  `Validation failed for ValidatingAdmissionPolicy '${policy.metadata.name}' with binding ` +
  `'${binding.metadata.name}': ${message}`;

const nameOf = ({ plural, group }: { readonly plural: string; readonly group: string }): string =>
  qualifiedResource(plural, group);

const POLICIES = nameOf(VALIDATING_POLICIES);
const BINDINGS = nameOf(VALIDATING_POLICY_BINDINGS);
