import { ROW, tokenKey } from '../../api/assignment-rows';
import { nameKey } from '../../api/types';
import { usersOf } from './object-users';
import { testPod } from './testing';

const pods = [
  testPod({ metadata: { uid: 'a', namespace: 'web' } }),
  testPod({ metadata: { uid: 'ab', namespace: 'web-2' } }),
];
const [first, second] = pods;

const users = (resource: string, key: string) => pods.filter(usersOf([{ resource, key }]));

it('has a token concern its own pod alone', () => {
  expect(users(ROW.tokens, tokenKey('a', {}))).toEqual([first]);
  expect(users(ROW.tokens, tokenKey('ab', { audience: 'a b' }))).toEqual([second]);
});

it.each([ROW.secrets, ROW.configMaps, ROW.claims])('has %s concern their namespace', (resource) => {
  expect(users(resource, nameKey({ namespace: 'web', name: 'conf' }))).toEqual([first]);
});

it.each([ROW.volumes, ROW.runtimeClasses])('has %s concern all', (resource) => {
  expect(users(resource, 'any')).toEqual(pods);
});

it('has nothing else concern anybody, and of several changes each', () => {
  expect(users(ROW.pods, 'a')).toEqual([]);
  expect(users('services', 'web/a')).toEqual([]);
  const both = [
    { resource: ROW.tokens as string, key: tokenKey('a', {}) },
    { resource: ROW.secrets as string, key: 'web-2/x' },
  ];
  expect(pods.filter(usersOf(both))).toEqual(pods);
});
