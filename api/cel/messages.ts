import type { Plan } from './frame';
import { optionalValue } from './plan-parts';
import type { CelType, ObjectType } from './types';
import { CelObject, type CelValue } from './values';

/** A message that an expression has made. */
export class MadeObject extends CelObject {
  constructor(
    readonly type: CelType,
    private readonly fields: ReadonlyMap<string, CelValue>,
  ) {
    super();
  }

  field(name: string): CelValue | undefined {
    return this.fields.get(name);
  }

  fieldNames(): Iterable<string> {
    return this.fields.keys();
  }
}

interface Field {
  readonly name: string;
  readonly run: Plan;
  readonly isOptional: boolean;
}

export const makeMessage =
  (type: ObjectType, fields: readonly Field[]): Plan =>
  (frame) => {
    frame.meter.charge(MESSAGE_COST);
    const values = new Map<string, CelValue>();
    for (const { name, run, isOptional } of fields) {
      const value = isOptional ? optionalValue(run(frame)) : run(frame);
      if (value !== undefined) values.set(name, value);
    }
    return new MadeObject(type, values);
  };

/** As upstream's common.StructCreateBaseCost. */
const MESSAGE_COST = 40;
