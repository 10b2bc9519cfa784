import type { LogsParams } from '../../proto/gen/dhow/agent/v1/agent';
import type { LogOptions } from '../logs/log-reader';

/** From the wire; numbers beyond what a log can hold are cut. */
export const logOptionsOf = (params: LogsParams, nowMs: number): LogOptions => {
  const { follow, timestamps, tailLines, sinceSeconds, sinceTime, limitBytes } = params;
  const sinceMs =
    sinceSeconds !== undefined
      ? nowMs - Number(sinceSeconds) * 1000
      : sinceTime === undefined
        ? undefined
        : Date.parse(sinceTime);
  return {
    follow,
    timestamps,
    ...(tailLines === undefined || tailLines < 0n ? {} : { tailLines: Number(tailLines) }),
    ...(sinceMs === undefined || Number.isNaN(sinceMs) ? {} : { sinceMs }),
    ...(limitBytes === undefined ? {} : { limitBytes: Number(limitBytes) }),
  };
};
