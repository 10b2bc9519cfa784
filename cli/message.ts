import { ApiError } from '../api/errors';
import { KubeconfigError } from '../client/kubeconfig';
import { describeError } from '../lib/describe-error';
import { printable } from './output/terminal';
import { UsageError } from './usage-error';

/** As kubectl words failures, so that people and scripts find what they know. Manifests and servers are of others. */
export const messageOf = (error: unknown): string => printable(wordsOf(error));

const wordsOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join('\n');
  if (error instanceof ApiError) {
    if (error.reason === 'ServiceUnavailable') return error.message;
    return `Error from server (${error.reason}): ${error.message}`;
  }
  if (error instanceof UsageError || error instanceof KubeconfigError) {
    return `error: ${error.message}`;
  }
  return `error: ${describeError(error)}`;
};
