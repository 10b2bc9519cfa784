import { KINDS } from '../../../api/kinds';
import { STORED_KINDS } from './served-kinds';

const nameOf = ({ resource: { group, version, kind } }: (typeof KINDS)[number]) =>
  `${group}/${version}/${kind}`;

it('serves every kind that can be written', () => {
  const written = KINDS.filter(({ verbs }) => verbs.includes('create'));
  expect(STORED_KINDS.map(nameOf)).toEqual(written.map(nameOf));
  expect(new Set(STORED_KINDS.map(nameOf)).size).toBe(STORED_KINDS.length);
});
