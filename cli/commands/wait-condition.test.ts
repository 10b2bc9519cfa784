import type { ApiObject } from '../../api/types';
import { parseAwaited } from './wait-condition';

const object = (status: object): ApiObject =>
  ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', generation: 2 }, status }) as ApiObject;

const READY = object({ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] });
const STALE = object({ conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }] });

it.each([
  ['condition=Ready', READY, true],
  ['condition=ready=true', READY, true],
  ['condition=Ready=false', READY, false],
  ['condition=Ready', STALE, false],
  ['condition=Nope', READY, false],
  ['jsonpath={.status.phase}=Running', READY, true],
  ['jsonpath={.status.phase}', READY, true],
  ['jsonpath={.status.nothing}', READY, false],
  ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', READY, true],
  ['create', READY, true],
])('%s: of %j %s', (text, state, holds) => {
  expect(parseAwaited(text).holds(state)).toBe(holds);
});

it.each([
  ['ready', 'unrecognized condition: "ready"'],
  ['jsonpath={.a}=', 'jsonpath wait has to have a value after equal sign'],
  ['jsonpath=.a=b', 'jsonpath wait format must be'],
])('refuses %s', (text, message) => {
  expect(() => parseAwaited(text)).toThrow(message);
});
