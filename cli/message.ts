import { ApiError } from '../api/errors';
import { KubeconfigError } from '../client/kubeconfig';
import { describeError } from '../lib/describe-error';
import { UsageError } from './usage-error';

/** As kubectl words failures, so that people and scripts find what they know. */
export const messageOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('\n');
  if (error instanceof ApiError) {
    if (error.reason === 'ServiceUnavailable') return error.message;
    return `Error from server (${error.reason}): ${error.message}`;
  }
  if (error instanceof UsageError || error instanceof KubeconfigError) {
    return `error: ${error.message}`;
  }
  return `error: ${describeError(error)}`;
};
