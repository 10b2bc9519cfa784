import { CUSTOM_RESOURCE_DEFINITIONS } from '../../../api/resources';
import { stringifyJson } from '../../../lib/json';
import type { ApiRequest } from '../http/exchange';
import type { Pace } from '../http/heavy-lane';
import type { WriteContext } from '../objects/write-context';
import { startTestServer } from '../testing';
import { readObject } from './body';

it('lets others run many times while a wide definition is read', async () => {
  await using server = await startTestServer();
  const properties = Object.fromEntries(
    Array.from({ length: 20_000 }, (_none, i) => [`f${i}`, { type: 'string' }]),
  );
  const schema = { openAPIV3Schema: { type: 'object', properties } };
  const body = { metadata: { name: 'wides.a.example' }, spec: { versions: [{ schema }] } };
  let pauses = 0;
  const pace = {
    weigh: () => Promise.resolve(),
    pause: async () => {
      pauses++;
    },
  } as unknown as Pace;
  const context = { fieldValidation: 'Strict', warnings: [], pace } as unknown as WriteContext;
  const request = { headers: {}, body: async () => Buffer.from(stringifyJson(body)) };
  const kind = server.api.kinds.of(CUSTOM_RESOURCE_DEFINITIONS);
  const object = await readObject(request as unknown as ApiRequest, kind, context);
  expect(object).toMatchObject({ spec: { versions: [{ schema }] } });
  expect(pauses).toBeGreaterThan(40);
});
