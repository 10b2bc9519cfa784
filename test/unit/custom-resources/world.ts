import { ApiEventRecorder } from '../../../client/events';
import { Informers } from '../../../client/informers';
import {
  startTestServer,
  type Answer,
  type TestServer,
  type TestServerOptions,
} from '../../../control-plane/api-server/testing';
import { createControllers, runControllers } from '../../../control-plane/controllers';
import { MemoryStore } from '../../../control-plane/store/memory-store';
import { TaskGroup } from '../../../lib/async/task-group';
import { silentLog } from '../../../lib/log';
import { seededRandom } from '../../../lib/random';

/** A server with its controllers, on a clock that waiting moves. */
export interface World extends AsyncDisposable {
  readonly server: TestServer;
  readonly request: TestServer['request'];
  /** Moves time until the condition holds. @throws Error when it never does */
  until(what: string, condition: () => Promise<boolean>): Promise<void>;
  /** Creates a definition and waits until it is established. */
  define(definition: object): Promise<Answer>;
}

export const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

export const openWorld = async (
  store = new MemoryStore(),
  options: Pick<TestServerOptions, 'webhookCalls'> = {},
): Promise<World> => {
  const server = await startTestServer({ store, ...options });
  const { api, clock } = server;
  const shared = { clock, random: seededRandom(1), log: silentLog };
  const informers = new Informers({ ...shared, client: api.client });
  const controllers = createControllers(
    {
      ...shared,
      client: api.client,
      informers,
      eventsFor: (component) =>
        new ApiEventRecorder({ client: api.client, clock, log: silentLog, component }),
    },
    { served: api.kinds, caCertificate: () => '', nodeGracePeriodMs: 40_000 },
  );
  const group = new TaskGroup();
  group.run((signal) => informers.run(signal));
  group.run((signal) => runControllers(controllers, shared, signal));
  const pass = async (ms: number) => {
    await clock.advance(ms);
    for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
  };
  const until = async (what: string, condition: () => Promise<boolean>) => {
    for (let turn = 0; turn < 200; turn++) {
      if (await condition()) return;
      await pass(100);
    }
    throw new Error(`never: ${what}`);
  };
  return {
    server,
    request: (...args) => server.request(...args),
    until,
    define: async (definition) => {
      const answer = await server.request('POST', DEFINITIONS, definition);
      if (answer.status !== 201) return answer;
      const path = `${DEFINITIONS}/${answer.json.metadata.name as string}`;
      const established = async () =>
        (await server.request('GET', path)).json.status.conditions.some(
          (each: { type: string; status: string }) =>
            each.type === 'Established' && each.status === 'True',
        );
      await until(`${path} is established`, established);
      return server.request('GET', path);
    },
    [Symbol.asyncDispose]: async () => {
      const ended = group[Symbol.asyncDispose]();
      for (let turn = 0; turn < 20; turn++) await pass(30_000);
      await ended;
      await server[Symbol.asyncDispose]();
    },
  };
};

/** `crontabs.stable.example.com`, in one version or several. */
export const cronTabs = (changes: object = {}, ...versions: readonly object[]) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'], categories: ['all'] },
    versions: versions.length > 0 ? versions : [version('v1')],
    ...changes,
  },
});

export const version = (name: string, changes: object = {}) => ({
  name,
  served: true,
  storage: name === 'v1',
  schema: { openAPIV3Schema: SCHEMA },
  ...changes,
});

export const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['cronSpec'],
      properties: {
        cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
        image: { type: 'string' },
        replicas: { type: 'integer', minimum: 0, maximum: 10, default: 1 },
      },
    },
    status: {
      type: 'object',
      properties: { replicas: { type: 'integer' }, labelSelector: { type: 'string' } },
    },
  },
};

export const cronTab = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name, ...metadata },
  spec: { cronSpec: '* * * * */5', ...spec },
});
