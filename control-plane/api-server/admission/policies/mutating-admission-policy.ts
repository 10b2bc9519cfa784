import { ApiError } from '../../../../api/errors';
import { jsonEqual } from '../../../../api/json-value';
import { compileMutations, type CompiledMutations } from '../../../../api/policies/compile';
import {
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  qualifiedName,
} from '../../../../api/resources';
import type {
  ApiObject,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
} from '../../../../api/types';
import { become } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionPlugin } from '../admission-plugin';
import type { AdmissionAttributes } from '../attributes';
import { isExempt, RequestMatcher } from '../matching';
import { refusal } from '../refusal';
import { inRounds, type Round } from '../rounds';
import { asNew, inVersion, isOfKind, kindIn, convertObject, settled } from '../webhooks';
import { criteriaOf, inOrder, valuesFor, type PoliciesDeps } from './bindings';
import { holdConditions } from './evaluate';
import { mutated, MutationError } from './mutate';
import { ConfigurationError, findParams } from './params';

/** Lets the policies that are bound to a request change what is to be. Source: KEP-3962. */
export const mutatingAdmissionPolicy = (deps: PoliciesDeps): AdmissionPlugin => {
  const policies = new Policies(deps);
  return {
    name: 'MutatingAdmissionPolicy',
    // There is nothing to change of what goes, nor of a connection.
    handles: (asked) => asked.object !== undefined && !isExempt(asked),
    ...inRounds((asked, round, signal) => policies.change(asked, round, signal)),
  };
};

type Policy = MutatingAdmissionPolicy;
type Binding = MutatingAdmissionPolicyBinding;

/** A policy by one of its bindings, with one of its parameters. */
interface Invocation {
  readonly id: string;
  readonly policy: Policy;
  readonly binding: Binding;
  readonly matched: ServedKind;
  readonly param: ApiObject | undefined;
}

/** What went wrong, with whom. */
interface Failure {
  readonly policy: Policy;
  readonly binding: Binding;
  readonly message: string;
  readonly isConfiguration: boolean;
}

class Policies {
  private readonly matcher: RequestMatcher;
  /** By the stored object: a policy that changes is another one. */
  private readonly compiled = new WeakMap<Policy, CompiledMutations>();

  constructor(private readonly deps: PoliciesDeps) {
    this.matcher = new RequestMatcher(deps);
  }

  /**
   * All invocations are found before the first changes anything, as upstream.
   * @throws ApiError of all policies that fail on what went wrong
   */
  async change(asked: AdmissionAttributes, round: Round, signal: AbortSignal): Promise<void> {
    const failures: Failure[] = [];
    for (const invocation of await this.invocations(asked, failures, signal))
      if (round.asks(invocation.id))
        failures.push(...(await this.invoke(invocation, asked, round, signal)));
    const counted = failures.filter(({ policy }) => policy.spec?.failurePolicy !== 'Ignore');
    if (counted[0] !== undefined) throw refusalOf(counted, counted[0], asked);
  }

  private async invocations(
    asked: AdmissionAttributes,
    failures: Failure[],
    signal: AbortSignal,
  ): Promise<readonly Invocation[]> {
    const { reader } = this.deps;
    await reader.ready(POLICIES, signal);
    const policies = reader.list(POLICIES) as readonly Policy[];
    if (policies.length === 0) return [];
    await reader.ready(BINDINGS, signal);
    const bindings = inOrder(reader.list(BINDINGS) as readonly Binding[]);
    const found: Invocation[] = [];
    for (const policy of inOrder(policies)) {
      const bound = bindings.filter(({ spec }) => spec?.policyName === policy.metadata.name);
      if (bound.length === 0) continue;
      const criteria = criteriaOf(policy.spec?.matchConstraints, false);
      const matched = await this.matcher.match(criteria, asked, signal);
      if (matched === undefined) continue;
      for (const binding of bound)
        found.push(...(await this.bound({ policy, binding, matched }, asked, failures, signal)));
    }
    return found;
  }

  private async bound(
    { policy, binding, matched }: Pick<Invocation, 'policy' | 'binding' | 'matched'>,
    asked: AdmissionAttributes,
    failures: Failure[],
    signal: AbortSignal,
  ): Promise<readonly Invocation[]> {
    const { paramRef, matchResources } = binding.spec ?? {};
    const criteria = criteriaOf(matchResources, true);
    if ((await this.matcher.match(criteria, asked, signal)) === undefined) return [];
    try {
      const { paramKind } = policy.spec ?? {};
      const params = await findParams(this.deps, paramKind, paramRef, asked.namespace, signal);
      return params.map((param) => ({
        id: [policy, binding, param].map((each) => nameOf(each)).join(' '),
        ...{ policy, binding, matched, param },
      }));
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      const message = `failed to configure binding: ${error.message}`;
      failures.push({ policy, binding, message, isConfiguration: true });
      return [];
    }
  }

  /** The mutations of one policy, in order: one that fails leaves the object to the next. */
  private async invoke(
    { id, policy, binding, matched, param }: Invocation,
    asked: AdmissionAttributes,
    round: Round,
    signal: AbortSignal,
  ): Promise<readonly Failure[]> {
    const compiled = this.compiledOf(policy);
    const failure = (message: string): Failure => ({
      ...{ policy, binding, message, isConfiguration: false },
    });
    const shown = await this.shown(asked, matched, signal);
    const values = {
      ...(await valuesFor(this.deps, shown, matched, signal)),
      params: param ?? null,
    };
    const met = await holdConditions(compiled.conditions, values);
    if (met === false) return [];
    if (met !== true) return [failure(met.message)];
    const failures: Failure[] = [];
    let isChanged = false;
    for (const index of (policy.spec?.mutations ?? []).keys())
      try {
        if (await this.mutate({ policy, index, matched, param }, asked, signal)) isChanged = true;
      } catch (error) {
        if (!(error instanceof MutationError)) throw error;
        failures.push(failure(error.message));
      }
    if (isChanged) round.noteChange();
    if (policy.spec?.reinvocationPolicy === 'IfNeeded') round.noteReinvocable(id);
    return failures;
  }

  /** Has it changed the object? @throws MutationError; ApiError for what no policy may do */
  private async mutate(
    {
      policy,
      index,
      matched,
      param,
    }: Pick<Invocation, 'policy' | 'matched' | 'param'> & { index: number },
    asked: AdmissionAttributes,
    signal: AbortSignal,
  ): Promise<boolean> {
    const mutation = policy.spec?.mutations?.[index];
    const shown = await this.shown(asked, matched, signal);
    const { object } = asked;
    if (mutation === undefined || object === undefined || shown.object === undefined) return false;
    const isOwn = isOfKind(asked, asked.kind);
    const kind = kindIn(shown.object, isOwn ? matched : undefined);
    const values = await valuesFor(this.deps, shown, matched, signal);
    const raw = mutated(this.compiledOf(policy), index, mutation, {
      ...{ kind, object: shown.object },
      given: { ...values, params: param ?? null },
    });
    const next = settled(object, raw, {
      who: `policy '${policy.metadata.name}'`,
      kind,
      isNamedByServer: isOwn && asked.name === '',
      ...(isOwn ? { stored: matched } : {}),
    });
    const own =
      matched === asked.kind || !isOwn ? next : await convertObject(next, asked.kind, { signal });
    const isChanged = !jsonEqual(own, object);
    if (isChanged) become(object, own);
    return isChanged;
  }

  /** As the policy's rules name it, and without what the server gives a new object. */
  private shown(
    asked: AdmissionAttributes,
    matched: ServedKind,
    signal: AbortSignal,
  ): Promise<AdmissionAttributes> {
    const isNew = isOfKind(asked, asked.kind) && asked.operation === 'CREATE';
    return inVersion(isNew ? asNew(asked) : asked, matched, convertObject, signal);
  }

  private compiledOf(policy: Policy): CompiledMutations {
    const known = this.compiled.get(policy) ?? compileMutations(policy);
    this.compiled.set(policy, known);
    return known;
  }
}

/** Of everything that failed, the first is the message. */
const refusalOf = (
  failures: readonly Failure[],
  first: Failure,
  asked: AdmissionAttributes,
): ApiError => {
  const { details } = refusal(asked, 'admission request denied by policy');
  return new ApiError(first.isConfiguration ? 'Forbidden' : 'Invalid', textOf(first), {
    details: {
      ...details,
      causes: failures.map((failure) => ({ reason: '', message: textOf(failure) })),
    },
  });
};

const textOf = ({ policy, binding, message }: Failure): string =>
  `policy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${message}`;

const nameOf = (object: ApiObject | undefined): string =>
  object === undefined ? '' : `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

const POLICIES = qualifiedName(MUTATING_POLICIES);
const BINDINGS = qualifiedName(MUTATING_POLICY_BINDINGS);
