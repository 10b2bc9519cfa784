import type { ApiObject } from '../../api/types';
import { ownerTree } from './owner-tree';

const object = (kind: string, name: string, ...owners: readonly ApiObject[]): ApiObject => ({
  apiVersion: 'v1',
  kind,
  metadata: {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    ownerReferences: owners.map((owner) => ({
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      name: owner.metadata.name,
      uid: owner.metadata.uid ?? '',
    })),
  },
});

const drawn = (root: ApiObject, objects: readonly ApiObject[]): readonly string[] =>
  ownerTree(root, objects).branches.map(
    ({ object: { metadata }, lead, isRepeated }) =>
      `${lead}${metadata.name}${isRepeated ? ' (again)' : ''}`,
  );

describe('a tree of owners', () => {
  const web = object('Deployment', 'web');

  it('shows what is owned below its owner, by name', () => {
    const one = object('ReplicaSet', 'one', web);
    const two = object('ReplicaSet', 'two', web);
    const pods = ['b', 'a'].map((name) => object('Pod', name, one));
    const stranger = object('Pod', 'stranger');
    expect(drawn(web, [two, ...pods, stranger, one, web, object('Pod', 'c', two)])).toEqual([
      'web',
      '├─one',
      '│ ├─a',
      '│ └─b',
      '└─two',
      '  └─c',
    ]);
  });

  it('is not led in circles', () => {
    const self = object('Map', 'self', object('Map', 'self'));
    expect(drawn(self, [self])).toEqual(['self', '└─self (again)']);
    const a = object('Map', 'a', object('Map', 'b'));
    const b = object('Map', 'b', a);
    expect(drawn(a, [a, b])).toEqual(['a', '└─b', '  └─a (again)']);
  });

  it('believes no reference that has but the uid right', () => {
    const thief = { ...object('Pod', 'thief', web) };
    const [reference] = thief.metadata.ownerReferences ?? [];
    if (reference === undefined) throw new Error('no reference');
    const named = { ...reference, name: 'other' };
    const elsewhere = object('Pod', 'elsewhere', web);
    expect(
      drawn(web, [
        { ...thief, metadata: { ...thief.metadata, ownerReferences: [named] } },
        { ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'others' } },
      ]),
    ).toEqual(['web']);
  });

  it('has bounds on its size and its depth', () => {
    const many = Array.from({ length: 2000 }, (_each, i) => object('Pod', `p${i}`, web));
    expect(ownerTree(web, many)).toMatchObject({ isCut: true });
    expect(ownerTree(web, many).branches).toHaveLength(1000);
    const chain = [web];
    for (let i = 0; i < 50; i += 1) chain.push(object('Map', `m${i}`, chain.at(-1) ?? web));
    expect(ownerTree(web, chain)).toMatchObject({ isCut: true });
    expect(ownerTree(web, chain).branches).toHaveLength(21);
  });
});
