/** How many characters, bytes, items or entries. */
export interface Size {
  readonly min: number;
  readonly max: number;
}

export const SCALAR: Size = { min: 1, max: 1 };
export const UNKNOWN: Size = { min: 0, max: Infinity };

/** Nothing, however often, is nothing. */
export const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
export const plus = (a: number, b: number): number => a + b;

/** What either may be. */
export const widest = (a: Size, b: Size): Size => ({
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max),
});

export const added = (a: Size, b: Size): Size => ({ min: a.min + b.min, max: a.max + b.max });

/** What going through it costs, at so much for each part. */
export const through = ({ max }: Size, factor = TRAVERSAL): number =>
  max === Infinity ? Infinity : Math.ceil(max * factor);

const TRAVERSAL = 0.1;
