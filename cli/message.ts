import { ApiError } from '../api/errors';
import { KubeconfigError } from '../client/kubeconfig/files';
import { describeError } from '../lib/describe-error';
import { stringifyJson } from '../lib/json';
import { printable } from './output/terminal';
import { UsageError } from './usage-error';

/** As kubectl words failures, so that people and scripts find what they know. Manifests and servers are of others. */
export const messageOf = (error: unknown): string => printable(wordsOf(error));

const wordsOf = (error: unknown): string => {
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join('\n');
  if (error instanceof ApiError) {
    if (error.reason === 'ServiceUnavailable') return error.message;
    if (error.reason === 'Invalid' && error.details !== undefined) return invalidWords(error);
    return `Error from server (${error.reason}): ${error.message}`;
  }
  if (error instanceof UsageError || error instanceof KubeconfigError) {
    return `error: ${error.message}`;
  }
  return `error: ${describeError(error)}`;
};

/** Each field with what is wrong with it. Source: kubectl's cmd/util/helpers.go. */
const invalidWords = ({ message, details = {} }: ApiError): string => {
  const { kind = '', name = '', causes = [] } = details;
  const isNamed = kind !== '' || name !== '';
  const head = isNamed ? `The ${kind} ${stringifyJson(name)} is invalid` : 'The request is invalid';
  const lines = [...new Set(causes.map((each) => `${each.field ?? ''}: ${each.message}`))];
  if (lines.length > 1) return `${head}: \n${lines.map((line) => `* ${line}`).join('\n')}`;
  const [only = isNamed ? '' : message] = lines;
  return only === '' ? head : `${head}: ${only}`;
};
