import { NODES, PODS, type Resource } from '../../../api/resources';
import type { ListOptions } from '../../../client/api-client';
import { listingOnce } from './present-pods';

it('lists what is in each namespace once, for however many ask', async () => {
  const list = jest.fn(async ({ plural }: Resource, { namespace = '' }: ListOptions = {}) => ({
    items: [],
    resourceVersion: `${plural} in ${namespace}`,
  }));
  const get = () => Promise.reject(new Error('nobody asks'));
  const client = listingOnce({ get, list });
  const versionOf = async (resource: Resource, options?: ListOptions) =>
    (await client.list(resource, options)).resourceVersion;
  const both = [PODS, PODS].map((resource) => versionOf(resource, { namespace: 'a' }));
  expect(await Promise.all(both)).toEqual(['pods in a', 'pods in a']);
  expect(await versionOf(PODS, { namespace: 'a' })).toBe('pods in a');
  expect(list).toHaveBeenCalledTimes(1);
  expect(await versionOf(PODS, { namespace: 'b' })).toBe('pods in b');
  expect(await versionOf(NODES)).toBe('nodes in ');
  expect(list).toHaveBeenCalledTimes(3);
});
