import {
  forbidden,
  invalidError,
  notSupported,
  type FieldError,
} from '../../../api/validation/field-error';
import type { Resource } from '../../../api/resources';
import { versionProblems, type VersionMatch } from '../objects/versions';

/** How a list's version counts. @throws Invalid for options that contradict each other */
export const versionMatchOf = (query: URLSearchParams): VersionMatch | undefined => {
  refuse(problemsOfList(query));
  const match = query.get(MATCH);
  return match === 'Exact' || match === 'NotOlderThan' ? match : undefined;
};

/** @throws Invalid for options that a watch cannot have, and for a version that is none */
export const checkWatchOptions = (query: URLSearchParams, { group, plural }: Resource): void => {
  refuse(problemsOfWatch(query));
  const problems = versionProblems(query.get('resourceVersion') || '0');
  if (problems.length > 0) throw invalidError({ group, kind: plural }, '', problems);
};

const problemsOfList = (query: URLSearchParams): readonly FieldError[] => {
  const match = query.get(MATCH) ?? '';
  const version = query.get('resourceVersion') ?? '';
  return [
    ...(match === ''
      ? []
      : [
          ...problem(version === '', `${MATCH} is forbidden unless resourceVersion is provided`),
          ...problem(hasToken(query), `${MATCH} is forbidden when continue is provided`),
          ...(MATCHES.includes(match) ? [] : [notSupported(MATCH, match, [...MATCHES, ''])]),
          ...problem(
            match === 'Exact' && version === '0',
            `${MATCH} "exact" is forbidden for resourceVersion "0"`,
          ),
        ]),
    ...(query.has(INITIAL_EVENTS)
      ? [forbidden(INITIAL_EVENTS, `${INITIAL_EVENTS} is forbidden for list`)]
      : []),
  ];
};

const problemsOfWatch = (query: URLSearchParams): readonly FieldError[] => {
  const match = query.get(MATCH) ?? '';
  const isInitial = query.has(INITIAL_EVENTS);
  return [
    ...problem(
      isInitial && match !== 'NotOlderThan',
      `${INITIAL_EVENTS} requires setting ${MATCH} to NotOlderThan`,
    ),
    ...(match === ''
      ? []
      : [
          ...problem(
            !isInitial,
            `${MATCH} is forbidden for watch unless ${INITIAL_EVENTS} is provided`,
          ),
          ...(match === 'NotOlderThan' ? [] : [notSupported(MATCH, match, ['NotOlderThan'])]),
          ...problem(hasToken(query), `${MATCH} is forbidden when continue is provided`),
        ]),
  ];
};

const problem = (isProblem: boolean, why: string): readonly FieldError[] =>
  isProblem ? [forbidden(MATCH, why)] : [];

const hasToken = (query: URLSearchParams): boolean => (query.get('continue') ?? '') !== '';

const refuse = (errors: readonly FieldError[]): void => {
  if (errors.length > 0) throw invalidError(LIST_OPTIONS, '', errors);
};

const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' };
const MATCH = 'resourceVersionMatch';
const INITIAL_EVENTS = 'sendInitialEvents';
const MATCHES = ['Exact', 'NotOlderThan'];
