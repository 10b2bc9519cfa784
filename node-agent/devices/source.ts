import type { Grant } from './device-store';

/** Where the devices of one resource come from. */
export interface DeviceSource {
  /** Nothing can be had there any more. */
  readonly isGone: boolean;
  /** By id, whether it is healthy; undefined: nobody can be asked. */
  devices(): ReadonlyMap<string, boolean> | undefined;
  /** Those it would rather hand out; none: all the same to it. */
  prefer(
    request: {
      readonly available: readonly string[];
      readonly mustInclude: readonly string[];
      readonly count: number;
    },
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  /** @throws Error in upstream's words */
  allocate(ids: readonly string[], signal: AbortSignal): Promise<Grant>;
  /** Before each start of a container that has them. @throws Error in upstream's words */
  preStart(ids: readonly string[], signal: AbortSignal): Promise<void>;
}
