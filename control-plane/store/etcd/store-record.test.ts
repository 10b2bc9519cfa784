import { refusalOf } from './store-record';

const known = { id: 'a', revision: 100 };

it('believes what it knew, gone on, and what it first meets', () => {
  expect(refusalOf(known, { id: 'a', revision: 100 })).toBeUndefined();
  expect(refusalOf(known, { id: 'a', revision: 5000 })).toBeUndefined();
  expect(refusalOf(undefined, { id: undefined, revision: 1 })).toBeUndefined();
  expect(refusalOf(undefined, { id: 'b', revision: 7 })).toBeUndefined();
});

it('says what is wrong with any other', () => {
  expect(refusalOf(known, { id: undefined, revision: 1 })).toContain('nothing of this cluster');
  expect(refusalOf(known, { id: 'b', revision: 500 })).toBe(
    'it holds another cluster, b in place of a',
  );
  expect(refusalOf(known, { id: 'a', revision: 99 })).toContain(
    'at revision 99, and this server has seen 100',
  );
});
