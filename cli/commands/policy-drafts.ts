import { canonicalQuantity, QuantityError } from '../../api/quantity';
import { POD_DISRUPTION_BUDGETS, RESOURCE_QUOTAS } from '../../api/resources';
import { parseLabelSelector, SelectorError } from '../../api/selectors';
import type { LabelSelector } from '../../api/types';
import { UsageError } from '../usage-error';
import { draft, type Draft } from './drafts';

export interface BudgetWishes {
  readonly selector?: string;
  /** A count, or a share: `50%`. */
  readonly minAvailable?: string;
  readonly maxUnavailable?: string;
}

/** A PodDisruptionBudget as `kubectl create poddisruptionbudget` makes it. Pure. @throws UsageError */
export const budgetDraft = (name: string, wishes: BudgetWishes): Draft => {
  const { selector = '', minAvailable, maxUnavailable } = wishes;
  if (selector === '') throw new UsageError('a selector must be specified');
  if (minAvailable === undefined && maxUnavailable === undefined)
    throw new UsageError('one of min-available or max-unavailable must be specified');
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    throw new UsageError('min-available and max-unavailable cannot be both specified');
  return draft(POD_DISRUPTION_BUDGETS, name, {
    spec: {
      ...(minAvailable === undefined
        ? {}
        : { minAvailable: amount('min-available', minAvailable) }),
      ...(maxUnavailable === undefined
        ? {}
        : { maxUnavailable: amount('max-unavailable', maxUnavailable) }),
      selector: selectorObject(selector),
    },
    status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
  });
};

const amount = (flag: string, text: string): number | string => {
  if (/^\d{1,9}%$/.test(text)) return text;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`invalid format specified for ${flag}`);
};

/** The text of a selector as an object has it: what asks for one value is a label. */
const selectorObject = (text: string): LabelSelector => {
  const requirements = requirementsIn(text);
  const labels = requirements.filter(({ operator }) => EQUALS.has(operator));
  const others = requirements.filter(({ operator }) => !EQUALS.has(operator));
  const matchExpressions = others.map(({ key, operator, values }) => {
    const word = OPERATORS.get(operator);
    if (word === undefined)
      throw new UsageError(`"${operator}" is not a valid label selector operator`);
    return { key, operator: word, ...(values.length === 0 ? {} : { values: [...values].sort() }) };
  });
  return {
    ...(labels.length === 0
      ? {}
      : { matchLabels: Object.fromEntries(labels.map(({ key, values: [v = ''] }) => [key, v])) }),
    ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
  };
};

const requirementsIn = (text: string): ReturnType<typeof parseLabelSelector> => {
  try {
    return parseLabelSelector(text);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
};

const EQUALS: ReadonlySet<string> = new Set(['=', '==']);
const OPERATORS: ReadonlyMap<string, string> = new Map([
  ['in', 'In'],
  ['notin', 'NotIn'],
  ['exists', 'Exists'],
  ['!', 'DoesNotExist'],
]);

export interface QuotaWishes {
  /** `pods=2` */
  readonly hard?: readonly string[];
  readonly scopes?: readonly string[];
}

/** A ResourceQuota as `kubectl create quota` makes it. Pure. @throws UsageError */
export const quotaDraft = (name: string, { hard = [], scopes = [] }: QuotaWishes): Draft =>
  draft(RESOURCE_QUOTAS, name, {
    spec: {
      ...(hard.length === 0 ? {} : { hard: Object.fromEntries(hard.map(amountOf)) }),
      ...(scopes.length === 0 ? {} : { scopes }),
    },
    status: {},
  });

const amountOf = (text: string): readonly [resource: string, amount: string] => {
  const [resource = '', quantity, ...rest] = text.split('=');
  if (quantity === undefined || rest.length > 0)
    throw new UsageError(`Invalid argument syntax ${text}, expected <resource>=<value>`);
  try {
    return [resource, canonicalQuantity(quantity)];
  } catch (error) {
    if (!(error instanceof QuantityError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
};
