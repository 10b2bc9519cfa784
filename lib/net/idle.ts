import type { Clock } from '../clock';

/**
 * Calls `onceIdle` when nothing has come or gone for `idleMs`, or an eighth of that longer. Returns what
 * calls it off. The carrier counts its bytes, as sockets do; what does not is never idle.
 */
export const onIdle = (
  carrier: object,
  idleMs: number,
  clock: Clock,
  onceIdle: () => void,
): (() => void) => {
  let carried = carriedBy(carrier);
  let sinceMs = clock.monotonicMs();
  const look = (): void => {
    const [now, nowMs] = [carriedBy(carrier), clock.monotonicMs()];
    if (now !== carried) [carried, sinceMs] = [now, nowMs];
    if (nowMs - sinceMs >= idleMs) onceIdle();
    else callOff = clock.after(idleMs / LOOKS, look);
  };
  let callOff = carried === undefined ? () => undefined : clock.after(idleMs / LOOKS, look);
  return () => callOff();
};

const carriedBy = ({ bytesRead, bytesWritten }: Counting): number | undefined =>
  bytesRead === undefined && bytesWritten === undefined
    ? undefined
    : (bytesRead ?? 0) + (bytesWritten ?? 0);

interface Counting {
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
}

const LOOKS = 8;
