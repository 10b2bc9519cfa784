import { onAbort } from './on-abort';
import type { Clock } from '../clock';
import { linkedController } from './linked-controller';

/** Aborts by itself when its time is up; disposing of it ends the wait and lets go of the parents. */
export interface TimedController extends AbortController, Disposable {}

/** A controller that aborts after `ms`, or when one of `parents` does. In place of `AbortSignal.timeout`. */
export const timedController = (
  clock: Clock,
  ms: number,
  ...parents: readonly AbortSignal[]
): TimedController => {
  const controller = linkedController(...parents);
  // Before it is replaced below, on the same object.
  const letGo = controller[Symbol.dispose].bind(controller);
  const callOff = clock.after(ms, () => {
    controller.abort(new DOMException('timed out', 'TimeoutError'));
  });
  onAbort(controller.signal, callOff);
  if (controller.signal.aborted) callOff();
  const dispose = () => {
    letGo();
    callOff();
  };
  return Object.assign(controller, { [Symbol.dispose]: dispose });
};
