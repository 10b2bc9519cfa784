export { renderDecisions, type DecisionsStyle } from './decisions';
export { renderWhy } from './why';
export type { TextStyle } from './text';
