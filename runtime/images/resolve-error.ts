import { describeError } from '../../lib/log';
import { ConnectionError } from './connection';
import type { RegistryEndpoint } from './endpoints';
import type { TagList } from './registry-client';
import { RegistryStatusError } from './registry-errors';

/** What one registry said, or why it could not be asked. */
export interface EndpointFailure {
  readonly endpoint: RegistryEndpoint;
  readonly error: unknown;
  /** What it has under the image's name instead. */
  readonly tags: TagList | undefined;
}

/** No endpoint gave the image. The message keeps the answer of each. */
export class ResolveError extends Error {
  override readonly name = 'ResolveError';
  /** All that could be asked do not have it, and some could not. */
  readonly isUnavailable: boolean;

  constructor(name: string, failures: readonly EndpointFailure[]) {
    const isUnavailable =
      failures.every((each) => isMissing(each) || isCutOff(each)) && failures.some(isCutOff);
    super(
      `failed to resolve reference "${name}": ${reasons(name, failures)}${adviceIf(isUnavailable)}`,
    );
    this.isUnavailable = isUnavailable;
  }
}

const isMissing = ({ error }: EndpointFailure): boolean =>
  error instanceof RegistryStatusError && error.isMissing;

const isCutOff = ({ error }: EndpointFailure): boolean => error instanceof ConnectionError;

const adviceIf = (isUnavailable: boolean): string =>
  isUnavailable
    ? '; no registry that may have it is reachable: bring it with "dhow image import"'
    : '';

const reasons = (name: string, failures: readonly EndpointFailure[]): string => {
  const isAlone = new Set(failures.map(({ endpoint }) => endpoint.baseUrl)).size < 2;
  if (!failures.every(isMissing))
    return [...new Set(failures.map((each) => answerOf(each, isAlone)))].join('; ');
  const others = failures.flatMap(({ endpoint, tags }) =>
    tags === undefined ? [] : `${originOf(endpoint)} has ${listOf(tags)}`,
  );
  return [`${name}: not found`, ...others].join('; ');
};

const answerOf = (failure: EndpointFailure, isAlone: boolean): string => {
  const { endpoint, error, tags } = failure;
  const origin = originOf(endpoint);
  const instead = tags === undefined ? '' : `, it has ${listOf(tags)}`;
  const says = isMissing(failure) ? `not found${instead}` : wordsOf(error);
  return isAlone || says.includes(origin) ? says : `${origin}: ${says}`;
};

/** Of an unreachable one the cause is told already. */
const wordsOf = (error: unknown): string =>
  error instanceof ConnectionError ? error.message : describeError(error);

const originOf = ({ baseUrl }: RegistryEndpoint): string => new URL(baseUrl).origin;

const listOf = ({ tags, isCut }: TagList): string =>
  `the tags ${tags.join(', ')}${isCut ? ' and more' : ''}`;
