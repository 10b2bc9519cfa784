import { CUSTOM_RESOURCE_DEFINITION } from '../kinds/custom-resource-definition';
import type { AdmissionReader } from './admission-reader';
import type { AdmissionAttributes } from './attributes';
import { customKindLimit } from './custom-kind-limit';

const definition = (...served: readonly boolean[]) => ({
  metadata: { name: 'things.example.com' },
  spec: { versions: served.map((each, i) => ({ name: `v${i}`, served: each })) },
});
const present = [definition(true, false), definition(true, true)];
const plugin = customKindLimit(
  { ready: async () => undefined, list: () => present } as unknown as AdmissionReader,
  4,
);
const asked = (object: object, old?: object) =>
  ({
    ...{ operation: old === undefined ? 'CREATE' : 'UPDATE', subresource: '' },
    ...{ kind: CUSTOM_RESOURCE_DEFINITION, namespace: '', name: 'things.example.com' },
    ...{ object, ...(old === undefined ? {} : { old }) },
  }) as unknown as AdmissionAttributes;
const { signal } = new AbortController();
const judged = async (object: object, old?: object) =>
  plugin.validate?.(asked(object, old), signal);

it('lets in as many served versions as there is memory for', async () => {
  expect(plugin.handles(asked(definition(true)))).toBe(true);
  await expect(judged(definition(true))).resolves.toBeUndefined();
  await expect(judged(definition(true, true))).rejects.toThrow(
    'customresourcedefinitions.apiextensions.k8s.io "things.example.com" is forbidden: the memory of ' +
      'this server is enough for 4 served versions of custom resources, and there are 3',
  );
});

it('asks of an update what it adds, so that what is there can always be changed', async () => {
  const three = definition(true, true, true);
  await expect(judged(three, three)).resolves.toBeUndefined();
  await expect(judged(three, definition(true, true))).resolves.toBeUndefined();
  await expect(judged(three, definition(true))).rejects.toThrow('4 served versions');
});
