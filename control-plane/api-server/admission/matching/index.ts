export { isExempt } from './exempt';
export type { MatchRule } from './match-rules';
export {
  namespaceNameOf,
  RequestMatcher,
  type MatchCriteria,
  type MatcherDeps,
} from './request-matcher';
