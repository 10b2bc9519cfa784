import type { ApiObject } from '../../api/types';
import { LAST_APPLIED } from '../last-applied';
import { masked, objectDiff, unifiedDiff } from './object-diff';

const secret = (data: object): ApiObject =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', annotations: { [LAST_APPLIED]: 'top-secret', note: 'kept' } },
    data,
  }) as ApiObject;

it('tells of a secret what changes, and not from what to what', () => {
  const [before, after] = masked(secret({ a: 'x', b: 'y' }), secret({ a: 'z', b: 'y', c: 'n' }));
  expect(before).toMatchObject({ data: { a: '*** (before)', b: '***' } });
  expect(after).toMatchObject({
    data: { a: '*** (after)', b: '***', c: '***' },
    metadata: { annotations: { [LAST_APPLIED]: '***', note: 'kept' } },
  });
  const text = objectDiff(secret({ a: 'eHh4' }), secret({ a: 'eXl5' }));
  expect(text).toContain('(after)');
  expect(text).not.toMatch(/eHh4|eXl5|top-secret/);
});

it('leaves other kinds alone', () => {
  const map = { ...secret({ a: 'x' }), kind: 'ConfigMap' };
  expect(masked(map, map)).toEqual([map, map]);
});

it('writes the lines that diff -u does', () => {
  const text = unifiedDiff({ name: 'a', text: '1\n2\n3\n' }, { name: 'b', text: '1\n3\n4\n' });
  expect(text).toBe('--- a\n+++ b\n@@ -1,3 +1,3 @@\n 1\n-2\n 3\n+4\n');
  expect(unifiedDiff({ name: 'a', text: '' }, { name: 'b', text: 'x\n' })).toBe(
    '--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n',
  );
  expect(unifiedDiff({ name: 'a', text: 'x' }, { name: 'b', text: 'x' })).toBe('');
});
