export {
  decideConnection,
  type Connection,
  type ConnectionEnd,
  type ConnectionVerdict,
  type DirectionVerdict,
  type PolicyLack,
  type PolicyWorld,
} from './decide';
export { PoliciesByLabel } from './policies-by-label';
export {
  isAbout,
  isolates,
  rulesOf,
  selectsPeer,
  type Direction,
  type PolicyPeer,
  type PolicyPort,
} from './selection';
export {
  portNamed,
  resolverSubject,
  subjectOf,
  type PolicySubject,
  type Protocol,
} from './subject';
