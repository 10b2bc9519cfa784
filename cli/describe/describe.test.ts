import type { ApiObject } from '../../api/types';
import { LAST_APPLIED } from '../last-applied';
import { describeObject } from './describe';

const describeAlone = (object: ApiObject & Record<string, unknown>): string =>
  describeObject(object, { events: [], pods: [], nowMs: 0 });

it('shows how much a secret holds, and nothing of it', () => {
  const text = describeAlone({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', annotations: { [LAST_APPLIED]: '{"stringData":{"password":"hush"}}' } },
    type: 'Opaque',
    data: { password: Buffer.from('hush').toString('base64') },
  });
  expect(text).not.toMatch(/hush|aHVzaA/);
  expect(text).toContain('password:  4 bytes');
});

it('keeps the keys of data, and lays longer values out below them', () => {
  const text = describeAlone({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', annotations: { note: 'two\nlines\n' } },
    data: { 'app.ini': '[server]\nport = 1\u001b[2J\n', plain: 'one' },
  });
  expect(text).toContain('Annotations:  note=two\\nlines\n');
  expect(text).toContain('Data:\n  app.ini:\n    [server]\n    port = 1\\x1b[2J\n  plain:  one\n');
});
