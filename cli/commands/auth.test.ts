import { Writable } from 'node:stream';
import type { CliContext } from '../context';
import { canI } from './auth';

const contextWith = (status: object) => {
  let out = '';
  const writable = () =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        out += chunk.toString();
        done();
      },
    });
  const context = {
    terminal: { out: writable(), err: writable(), isInteractive: false, columns: 80 },
    client: { json: async () => ({ status }) },
    namespace: 'default',
  } as unknown as CliContext;
  return { context, said: () => out };
};

it('lists what one may do in a namespace', async () => {
  const { context, said } = contextWith({
    resourceRules: [
      {
        apiGroups: ['', 'apps'],
        resources: ['pods'],
        verbs: ['get', 'list'],
        resourceNames: ['a'],
      },
    ],
    nonResourceRules: [{ nonResourceURLs: ['/api'], verbs: ['get'] }],
    incomplete: true,
    evaluationError: 'no \u001b[31m',
  });
  expect(await canI(context, undefined, undefined, undefined, { list: true })).toBe(0);
  expect(said()).toBe(
    'warning: the list may be incomplete: no \\x1b[31m\n' +
      'Resources   Non-Resource URLs   Resource Names   Verbs\n' +
      'pods        []                  [a]              [get list]\n' +
      'pods.apps   []                  [a]              [get list]\n' +
      '            [/api]              []               [get]\n',
  );
});

it('wants to know what, unless all is asked for', async () => {
  const { context } = contextWith({});
  await expect(canI(context, 'get', undefined, undefined, {})).rejects.toThrow('two arguments');
  await expect(canI(context, 'get', 'pods', undefined, { list: true })).rejects.toThrow('--list');
});
