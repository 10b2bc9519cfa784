import { ApiError } from '../../../api/errors';
import { PODS } from '../../../api/resources';
import { SYSTEM_USER } from '../auth/user';
import { KindRegistry } from '../kinds/kind-registry';
import { AdmissionChain } from './admission-chain';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionAttributes } from './attributes';

const { signal } = new AbortController();
const asked = (more: Partial<AdmissionAttributes> = {}): AdmissionAttributes => ({
  ...{ operation: 'CREATE', kind: new KindRegistry([]).of(PODS), subresource: '' },
  ...{ namespace: 'default', name: 'a', user: SYSTEM_USER, isDryRun: false, isAgain: false },
  warnings: [],
  ...more,
});

const calls: string[] = [];
beforeEach(() => void (calls.length = 0));
const plugin = (name: string, more: Partial<AdmissionPlugin> = {}): AdmissionPlugin => ({
  name,
  handles: () => true,
  admit: () => {
    calls.push(`admit ${name}`);
    return false;
  },
  validate: () => void calls.push(`validate ${name}`),
  ...more,
});

it('asks plugins in their order, each only of what it handles', async () => {
  const onlyDeletes = plugin('b', { handles: ({ operation }) => operation === 'DELETE' });
  const chain = new AdmissionChain([plugin('a'), onlyDeletes, plugin('c')]);
  await chain.admit(asked(), signal);
  await chain.validate(asked(), signal);
  expect(calls).toEqual(['admit a', 'admit c', 'validate a', 'validate c']);
});

it('ends with the first refusal', async () => {
  const refuse = () => {
    throw new ApiError('Forbidden', 'no');
  };
  const chain = new AdmissionChain([
    plugin('a'),
    plugin('b', { admit: refuse, validate: refuse }),
    plugin('c'),
  ]);
  await expect(chain.admit(asked(), signal)).rejects.toThrow('no');
  await expect(chain.validate(asked(), signal)).rejects.toThrow('no');
  expect(calls).toEqual(['admit a', 'validate a']);
});

it('says whether any of them changed the object', async () => {
  const change = plugin('b', { admit: async () => true });
  expect(await new AdmissionChain([plugin('a')]).admit(asked(), signal)).toBe(false);
  expect(await new AdmissionChain([change, plugin('c')]).admit(asked(), signal)).toBe(true);
});
