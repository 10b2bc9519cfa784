import { ApiError } from '../../../api/errors';
import { MemoryStore } from '../../store/memory-store';
import { startTestServer, type TestServer } from '../testing';
import type { AdmissionPlugin, WriteOutcome } from './admission-plugin';
import type { AdmissionAttributes } from './attributes';
import { refusal } from './refusal';

const MAPS = '/api/v1/namespaces/default/configmaps';
const map = (name: string, more: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more },
});

let server: TestServer;
let fault: ApiError | undefined;
let used: number;
let isLastRefusing: boolean;
const outcomes: WriteOutcome[] = [];

const isConfigMap = ({ kind }: AdmissionAttributes): boolean =>
  kind.resource.plural === 'configmaps';

/** The sample of a plugin that keeps an exact account: no more than three config maps. */
const quota: AdmissionPlugin = {
  name: 'SampleQuota',
  handles: (asked) => isConfigMap(asked),
  reserve: (asked) => {
    const added = asked.operation === 'CREATE' ? 1 : 0;
    if (used + added > 3) throw refusal(asked, 'exceeded quota');
    if (asked.isDryRun) return undefined;
    used += added;
    return {
      settle: async (outcome) => {
        outcomes.push(outcome);
        if (outcome === 'refused') used -= added;
      },
    };
  },
};
const last: AdmissionPlugin = {
  name: 'Last',
  handles: (asked) => isConfigMap(asked),
  reserve: (asked) => {
    if (isLastRefusing) throw refusal(asked, 'no');
    return undefined;
  },
};

class FaultyStore extends MemoryStore {
  override async create(...args: Parameters<MemoryStore['create']>) {
    if (fault !== undefined) throw fault;
    return super.create(...args);
  }
}

beforeEach(async () => {
  fault = undefined;
  isLastRefusing = false;
  server = await startTestServer({ store: new FaultyStore(), admissionPlugins: [quota, last] });
  used = 0;
  outcomes.length = 0;
});
afterEach(() => server[Symbol.asyncDispose]());

const create = (name: string) => server.request('POST', MAPS, map(name));

it('keeps an account exact beside many writers', async () => {
  const answers = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(create));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 403, 403, 403]);
  expect((await server.request('GET', MAPS)).json.items).toHaveLength(3);
  expect(used).toBe(3);
});

it('gives back what a failed write had taken', async () => {
  await create('a');
  expect((await create('a')).json.reason).toBe('AlreadyExists');
  fault = new ApiError('InsufficientStorage', 'full');
  expect((await create('b')).json.reason).toBe('InsufficientStorage');
  expect(used).toBe(1);
  expect(outcomes).toEqual(['stored', 'refused', 'refused']);
});

it('is told when nobody knows whether the write happened', async () => {
  fault = new ApiError('Timeout', 'no answer');
  await create('a');
  expect(outcomes).toEqual(['unknown']);
  expect(used).toBe(1);
});

it('gives back what was taken before another plugin refused', async () => {
  isLastRefusing = true;
  expect((await create('a')).json.message).toContain('is forbidden: no');
  expect([used, outcomes]).toEqual([0, ['refused']]);
});

it('takes nothing for what is invalid, only tried, or changes nothing', async () => {
  expect((await server.request('POST', MAPS, map('A'))).status).toBe(422);
  expect((await server.request('POST', `${MAPS}?dryRun=All`, map('a'))).status).toBe(201);
  await create('a');
  expect((await server.request('PUT', `${MAPS}/a`, map('a'))).status).toBe(200);
  expect(outcomes).toEqual(['stored']);
});

it('answers a stored write with success though an account cannot be settled', async () => {
  const broken: AdmissionPlugin = {
    name: 'Broken',
    handles: (asked) => isConfigMap(asked),
    reserve: () => ({ settle: () => Promise.reject(new Error('cannot')) }),
  };
  await using other = await startTestServer({ admissionPlugins: [broken, quota] });
  expect((await other.request('POST', MAPS, map('z'))).status).toBe(201);
  expect(outcomes).toEqual(['stored']);
});
