import { messageOf } from '../message';
import { UsageError } from '../usage-error';
import { collectFound } from './found';

const find = async (name: string): Promise<string> => {
  if (name.startsWith('no')) throw new UsageError(`${name} not found`);
  return name.toUpperCase();
};

it('gives what there is, and then all that there is not', async () => {
  const { found, failure } = await collectFound(['a', 'nope', 'b', 'none'], find);
  expect(found).toEqual([
    ['a', 'A'],
    ['b', 'B'],
  ]);
  expect(messageOf(failure)).toBe('error: nope not found\nerror: none not found');
});

it('passes a single failure on as it is', async () => {
  expect((await collectFound(['nope'], find)).failure).toBeInstanceOf(UsageError);
  expect((await collectFound(['a'], find)).failure).toBeUndefined();
});
