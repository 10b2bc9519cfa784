import fc from 'fast-check';
import { ContainerTable } from './container-table';

const listed = (id: string, sandboxId: string) => ({ record: { spec: { id, sandboxId } } });

const idsOf = (
  containers: Iterable<{ readonly record: { readonly spec: { readonly id: string } } }>,
) => [...containers].map(({ record }) => record.spec.id);

test('the containers of a sandbox are those of all that are in it, in the same order', () => {
  const id = fc.integer({ min: 0, max: 5 }).map(String);
  const step = fc.record({ id, isGoing: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const table = new ContainerTable<ReturnType<typeof listed>>();
      // A container is in one sandbox for its life.
      const sandboxOf = (each: string) => `box-${Number(each) % 2}`;
      for (const { id: each, isGoing } of steps) {
        if (isGoing) table.delete(each);
        else if (!table.has(each)) table.put(listed(each, sandboxOf(each)));
      }
      for (const box of ['box-0', 'box-1', 'box-2'])
        expect(idsOf(table.in(box))).toEqual(
          idsOf(table.all()).filter((each) => sandboxOf(each) === box),
        );
      for (const each of idsOf(table.all())) expect(table.get(each)?.record.spec.id).toBe(each);
    }),
  );
});
