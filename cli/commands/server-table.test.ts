import { renderTable, tableOf, type Table } from './server-table';

const TABLE: Table = {
  columnDefinitions: [
    { name: 'Name', priority: 0 },
    { name: 'Ready', priority: 0 },
    { name: 'IP', priority: 1 },
  ],
  rows: [
    { cells: ['web', 1, null], object: { metadata: { name: 'web', labels: { b: '2', a: '1' } } } },
    { cells: ['a\u001b[31m', 0, '10.0.0.1'], object: { metadata: { name: 'a', namespace: 'x' } } },
  ],
};
const STYLE = {
  isWide: false,
  showNamespace: false,
  showLabels: false,
  labelColumns: [],
  showHeader: true,
  prefix: '',
};

it('aligns what everybody sees, and lets no name drive the terminal', () => {
  expect(renderTable(TABLE, STYLE)).toBe('NAME        READY\nweb         1\na\\x1b[31m   0\n');
});

it('adds what was asked for', () => {
  const all = { ...STYLE, isWide: true, showNamespace: true, showLabels: true, prefix: 'pod/' };
  expect(renderTable({ ...TABLE, rows: TABLE.rows.slice(0, 1) }, all)).toBe(
    'NAMESPACE   NAME      READY   IP       LABELS\n            pod/web   1       <none>   a=1,b=2\n',
  );
});

it('leaves the header out', () => {
  expect(renderTable(TABLE, { ...STYLE, showHeader: false })).not.toContain('NAME');
});

it('gives labels columns of their own, named by the last part', () => {
  const style = { ...STYLE, labelColumns: ['b', 'example.com/zone'] };
  expect(renderTable({ ...TABLE, rows: TABLE.rows.slice(0, 1) }, style)).toBe(
    'NAME   READY   B   ZONE\nweb    1       2\n',
  );
});

it('makes a table of what is none', () => {
  const metadata = { name: 'web', creationTimestamp: '2026-11-25T02:40:00Z' };
  const nowMs = Date.parse('2026-11-25T02:41:00Z');
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata, spec: { replicas: 2 } };
  const { columnDefinitions = [], rows } = tableOf(scale, nowMs);
  expect(columnDefinitions.map(({ name }) => name)).toEqual([
    'Name',
    'Desired',
    'Available',
    'Age',
  ]);
  expect(rows[0]?.cells).toEqual(['web', 2, 0, '60s']);
});
