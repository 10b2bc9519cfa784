import fc from 'fast-check';
import type { ApiObject } from '../../api/types';
import { parseJson } from '../../lib/json';
import { decodeObject, encodeObject } from './object-codec';

const key = { resource: 'configmaps', namespace: 'default', name: 'a' };

const objectWith = (rest: object): ApiObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'default' },
  ...rest,
});

/** As a store gives it that was just written, and as everyone else reads it. */
const bothOf = (object: ApiObject) => {
  const stored = decodeObject(key, encodeObject(object), 1280);
  return { stored: stored.object, read: parseJson(stored.raw) as ApiObject };
};

const names = fc.oneof(fc.string(), fc.constantFrom('__proto__', '7', 'toJSON', 'a'));
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(undefined, null, true, -0, 2 ** 53, 2 ** 60, 1e21, 0.1, 2n ** 60n, 5n),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.maxSafeInteger(),
    fc.array(tie('value')),
    fc.dictionary(names, tie('value'), { noNullPrototype: true }),
  ),
})).value;

it('gives what was written as everyone else reads it', () => {
  fc.assert(
    fc.property(values, values, (data, label) => {
      const object = objectWith({ data, metadata: { name: 'a', namespace: 'default', label } });
      const { stored, read } = bothOf(object);
      expect(stored).toStrictEqual(read);
      expect(Object.keys(stored.metadata)).toEqual(Object.keys(read.metadata));
    }),
  );
});

it('does not parse what was just written', () => {
  const data = { b: '1', a: ['x', { y: 2 }] };
  const { stored } = bothOf(objectWith({ data, metadata: { name: 'a', resourceVersion: '7' } }));
  expect((stored as unknown as { data: unknown }).data).toBe(data);
  expect(stored.metadata).toStrictEqual({ resourceVersion: '1280', name: 'a' });
});

it.each([[{ a: undefined }], [[undefined]], [-0], [2 ** 60], [5n]])(
  'parses what JSON has in another form: %p',
  (value) => {
    const { stored, read } = bothOf(objectWith({ data: { value } }));
    expect(stored).toStrictEqual(read);
    expect((stored as unknown as { data: { value: unknown } }).data.value).not.toBe(value);
  },
);
