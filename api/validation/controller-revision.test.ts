import { CONTROLLER_REVISIONS } from '../resources';
import { refusal } from '../testing';

const revision = (fields: object = {}) => ({
  metadata: { name: 'web-1' },
  data: { spec: { template: { $patch: 'replace' } } },
  revision: 1,
  ...fields,
});

it('needs data and a number that is not below zero', () => {
  expect(refusal(CONTROLLER_REVISIONS, revision())).toEqual([]);
  expect(refusal(CONTROLLER_REVISIONS, { metadata: { name: 'web-1' } })).toEqual([
    'data: Required value: data is mandatory',
  ]);
  expect(refusal(CONTROLLER_REVISIONS, revision({ data: null, revision: -1 }))).toEqual([
    'data: Required value: data is mandatory',
    'revision: Invalid value: -1: must be greater than or equal to 0',
  ]);
});

it('keeps its data once it is made', () => {
  expect(refusal(CONTROLLER_REVISIONS, revision({ revision: 2 }), revision())).toEqual([]);
  const [why] = refusal(CONTROLLER_REVISIONS, revision({ data: { spec: {} } }), revision());
  expect(why).toMatch(/^data: Invalid value: .*: field is immutable$/);
});
