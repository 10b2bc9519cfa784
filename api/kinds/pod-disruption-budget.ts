import { POD_DISRUPTION_BUDGETS } from '../resources';
import {
  validateDisruptionBudget,
  validateDisruptionBudgetStatusUpdate,
  validateDisruptionBudgetUpdate,
} from '../validation/disruption-budget';
import { defineKind } from './kind';

export const POD_DISRUPTION_BUDGET_KIND = defineKind(POD_DISRUPTION_BUDGETS, {
  shortNames: ['pdb'],
  subresources: ['status'],
  validateCreate: validateDisruptionBudget,
  validateUpdate: validateDisruptionBudgetUpdate,
  validateStatusUpdate: validateDisruptionBudgetStatusUpdate,
});
