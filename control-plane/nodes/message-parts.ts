import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** Which fields of a message are messages themselves, and what of theirs are. */
interface Shape {
  readonly [field: number]: Shape;
}

/** By method. Of a session: statuses with their updates, and events. All others are flat. */
const SHAPES: Readonly<Record<string, Shape>> = {
  session: { 1: {}, 2: { 2: {} }, 3: {}, 4: {}, 5: {} },
  attach: { 5: {} },
};

/**
 * Refuses a message of very many parts before it is decoded: a part of two bytes becomes an object of
 * hundreds, so that a few megabytes would be as many gigabytes. @throws Error
 */
export const refuseManyParts = (method: string, bytes: Uint8Array): void => {
  const reader = new BinaryReader(bytes);
  let count = 0;
  const walk = (end: number, shape: Shape): void => {
    while (reader.pos < end) {
      if (++count > PARTS_MAX) throw new Error(`a message of more than ${PARTS_MAX} parts`);
      const [field, type] = reader.tag();
      // Nothing that agents send has groups.
      if (type === WireType.StartGroup) throw new Error('a message with a group');
      const inner = type === WireType.LengthDelimited ? shape[field] : undefined;
      if (inner === undefined) reader.skip(type, field);
      else {
        const length = reader.uint32();
        walk(reader.pos + length, inner);
      }
    }
  };
  walk(bytes.length, SHAPES[method] ?? {});
};

/** The service, taking no request that `refuseManyParts` refuses. */
export const withFewParts = <T extends UntypedServiceImplementation>(
  service: ServiceDefinition<T>,
): ServiceDefinition<T> => {
  const bounded = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      refuseManyParts(name, bytes);
      return method.requestDeserialize(bytes);
    };
    return [name, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(bounded) as ServiceDefinition<T>;
};

/** An agent sends a hundred statuses or events at once, of five parts each. */
const PARTS_MAX = 4096;
