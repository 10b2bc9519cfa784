import { noSuchOverload } from './errors';
import type { Frame, Plan } from './frame';
import { takes, type Overload } from './library/function';
import type { CelValue } from './values';

/** Calls the first overload that takes what the arguments turn out to be. */
export const planCall = (overloads: readonly Overload[], args: readonly Plan[]): Plan => {
  const [first, second] = args;
  if (first !== undefined && args.length === 1)
    return (frame) => dispatch(frame, overloads, [first(frame)]);
  if (first !== undefined && second !== undefined && args.length === 2)
    return (frame) => dispatch(frame, overloads, [first(frame), second(frame)]);
  return (frame) =>
    dispatch(
      frame,
      overloads,
      args.map((arg) => arg(frame)),
    );
};

const dispatch = (
  frame: Frame,
  overloads: readonly Overload[],
  values: readonly CelValue[],
): CelValue => {
  frame.meter.charge(1);
  for (const overload of overloads)
    if (takes(overload, values)) return overload.apply(frame.meter, ...values);
  throw noSuchOverload();
};
