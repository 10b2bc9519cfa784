import type { Placement } from '../api/decisions';
import type { Pod } from '../api/types';

/** Answers whether a pod would be placed now. Implemented by the scheduler, asked by the api-server. */
export interface Placements {
  /** Changes nothing. @throws ServiceUnavailable while the nodes are not known yet */
  review(pod: Pod): Placement;
}
