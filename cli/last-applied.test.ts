import { lastApplied } from './last-applied';

it('writes what kubectl writes', () => {
  const manifest = {
    kind: 'Pod',
    apiVersion: 'v1',
    spec: { containers: [{ name: 'a', command: ['sh', '-c', 'a > b && c < d'], image: 'x' }] },
    metadata: { name: 'web', annotations: {} },
  };
  expect(lastApplied(manifest)).toBe(
    '{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{},"name":"web"},' +
      '"spec":{"containers":[{"command":["sh","-c","a \\u003e b \\u0026\\u0026 c \\u003c d"],"image":"x","name":"a"}]}}\n',
  );
});

it('keeps integers that JavaScript numbers cannot hold', () => {
  expect(lastApplied({ big: 9007199254740993n })).toBe('{"big":9007199254740993}\n');
});
