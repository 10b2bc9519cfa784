export { renderBlocked } from './blocked';
export { renderDecisions, type DecisionsStyle } from './decisions';
export { driverVolumesOf } from './driver-volumes';
export { lastLines, withEvidence } from './evidence';
export { fitLine } from './fit';
export { explainGroup, renderGroup } from './group';
export { renderPlan } from './plan-text';
export { placementGroupsOf } from './pod-placements';
export { renderRebalance } from './rebalance-text';
export { renderReplay } from './replay-text';
export { renderWhy } from './why';
export type { TextStyle } from './text';
export { resizeTroublesOf, troublesOf } from './trouble';
export { volumeTroubles } from './volume-waits';
export { lastWordsText } from './last-words';
export {
  DETAILED_GROUPS_MAX,
  explainWorkload,
  renderWorkload,
  type WorkloadExplanation,
} from './workload';
export { troubleLines } from './trouble-text';
