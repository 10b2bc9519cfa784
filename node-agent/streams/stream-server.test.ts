import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Duplex } from 'node:stream';

import { rfc3339 } from '../../lib/clock';
import { parseJson } from '../../lib/json';
import { silentLog } from '../../lib/log';
import type {
  AttachRequest,
  AttachResponse,
  OpenStream,
} from '../../proto/gen/dhow/agent/v1/agent';
import { UsageMeter } from '../usage/usage-meter';
import { createPodBench, testContainer, testPod, type PodBench } from '../pods/testing';
import type { MessageStream, Transport } from '../session/transport';
import { StreamServer } from './stream-server';

let directory: string;
let bench: PodBench;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'streams-'));
  bench = createPodBench({ directory });
});

afterEach(async () => {
  await bench.stop();
  rmSync(directory, { recursive: true, force: true });
});

const NO_USAGE = { report: () => Promise.reject(new Error('not to be asked')) };
const NO_METRICS = { page: () => Promise.reject(new Error('not to be asked')) };

/** A client who says nothing and leaves at once. */
const leaving: MessageStream<AttachRequest, AttachResponse> = {
  messages: { next: () => Promise.resolve({ done: true as const, value: undefined }) },
  write: () => Promise.resolve(),
  end: () => undefined,
  cancel: () => undefined,
};

it.each([
  [{ stdin: true, stdinOnce: true }, true, true],
  [{ stdin: true, stdinOnce: true }, false, false],
  [{ stdin: true }, true, false],
])(
  'ends the stdin of a container %j with an attached client (sending: %s): %s',
  async (own, stdin, ends) => {
    const asked: unknown[] = [];
    const { runtime, manager, deps } = bench;
    const attach = runtime.attach.bind(runtime);
    runtime.attach = (id, options) => {
      asked.push(options.endsStdin);
      return attach(id, options);
    };
    await bench.run(testPod({ spec: { containers: [testContainer(own)] } }));
    await bench.until(() => bench.status().phase === 'Running');
    const server = new StreamServer({
      ...{ runtime, pods: manager, paths: deps.paths, clock: bench.clock, log: silentLog },
      usage: NO_USAGE,
      metrics: NO_METRICS,
      transport: { openAttach: () => leaving } as unknown as Transport,
    });
    const target = { namespace: 'default', podName: 'web', podUid: 'uid-1', container: 'web' };
    const value = { target, command: [], tty: false, stdin, stdout: true, stderr: true };
    await server.serve(
      { streamId: '1', kind: { $case: 'exec', value } },
      new AbortController().signal,
    );
    expect(asked).toEqual([ends]);
  },
);

describe('a port of a pod', () => {
  const target = { namespace: 'default', podName: 'web', podUid: 'uid-1', container: '' };

  const serve = async (
    dial: (options: { readonly port: number }) => Promise<Duplex>,
    given: readonly AttachResponse['message'][],
  ) => {
    const { runtime, manager, deps } = bench;
    const sent: AttachRequest['message'][] = [];
    const left = given.map((message) => ({ message }));
    const stream: MessageStream<AttachRequest, AttachResponse> = {
      ...leaving,
      messages: {
        next: async () => {
          const value = left.shift();
          return value === undefined ? { done: true, value } : { done: false, value };
        },
      },
      write: async ({ message }) => void sent.push(message),
    };
    const server = new StreamServer({
      ...{ runtime, pods: manager, paths: deps.paths, clock: bench.clock, log: silentLog },
      usage: NO_USAGE,
      metrics: NO_METRICS,
      dial: dial,
      transport: { openAttach: () => stream } as unknown as Transport,
    });
    const kind = { $case: 'port', value: { target, port: 80 } } as const;
    await server.serve({ streamId: '1', kind }, new AbortController().signal);
    return sent;
  };

  it('is reached through the namespace of its sandbox, and carries both directions', async () => {
    await bench.run(testPod({}));
    await bench.until(() => bench.status().phase === 'Running');
    const asked: unknown[] = [];
    const sent = await serve(
      async (options) => {
        asked.push(options);
        return new PassThrough();
      },
      [
        { $case: 'stdin', value: Buffer.from('hello') },
        { $case: 'stdinEnd', value: {} },
      ],
    );
    expect(asked).toEqual([
      expect.objectContaining({ port: 80, netnsPath: expect.stringContaining('/fake/netns/') }),
    ]);
    expect(sent[1]?.$case).toBe('connected');
  });

  it('says why it cannot be reached', async () => {
    await bench.run(testPod({}));
    await bench.until(() => bench.status().phase === 'Running');
    const sent = await serve(() => Promise.reject(new Error('refused')), []);
    expect(sent.at(-1)).toEqual({
      $case: 'error',
      value: { reason: 'InternalError', message: 'refused' },
    });
  });

  it('is of a pod that is here', async () => {
    const sent = await serve(() => Promise.reject(new Error('not to be asked')), []);
    expect(sent.at(-1)).toEqual({
      $case: 'error',
      value: { reason: 'NotFound', message: 'pod "web" is not on this node' },
    });
  });
});

describe('the usage of a node', () => {
  const serve = async (
    kind: OpenStream['kind'] = { $case: 'usage', value: {} },
  ): Promise<readonly AttachRequest['message'][]> => {
    const { runtime, manager, deps, clock } = bench;
    const sent: AttachRequest['message'][] = [];
    const stream = {
      ...leaving,
      write: async ({ message }: AttachRequest) => void sent.push(message),
    };
    const node = { nodeName: 'n1', bootedAtMs: 0, memoryBytes: 2 ** 31 };
    const server = new StreamServer({
      ...{ runtime, pods: manager, paths: deps.paths, clock, log: silentLog },
      usage: new UsageMeter({
        ...{ runtime, node, clock, filesOf: () => undefined, stateDir: '/nowhere' },
        volumes: { measure: () => Promise.resolve([]) },
        disks: { measure: () => Promise.resolve(new Map()) },
      }),
      metrics: { page: async (path) => (path === 'metrics' ? 'x'.repeat(100_000) : undefined) },
      transport: { openAttach: () => stream } as unknown as Transport,
    });
    await server.serve({ streamId: '1', kind }, new AbortController().signal);
    return sent.slice(1);
  };
  const summaryIn = (sent: readonly AttachRequest['message'][]) =>
    parseJson(
      Buffer.concat(sent.flatMap((each) => (each?.$case === 'stdout' ? [each.value] : []))),
    );

  it('is told in pages of metrics as well, and of no others', async () => {
    const page = (path: string) => serve({ $case: 'metrics', value: { path } });
    const texts = (await page('metrics')).map((part) =>
      part?.$case === 'stdout' ? Buffer.from(part.value).toString() : '',
    );
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.join('')).toBe('x'.repeat(100_000));
    expect(await page('metrics/probes')).toEqual([
      { $case: 'error', value: { reason: 'NotFound', message: 'the node has no such metrics' } },
    ]);
  });

  it('is told as the kubelet tells it, after when it was read', async () => {
    await bench.run(testPod({}));
    await bench.until(() => bench.status().phase === 'Running');
    const [reading, ...rest] = await serve();
    expect(reading).toEqual({
      $case: 'usage',
      value: { clockId: expect.any(String), monotonicMs: bench.clock.monotonicMs() },
    });
    const time = rfc3339(bench.clock.now());
    const memory = { time, usageBytes: 1 << 20, workingSetBytes: 1 << 20 };
    expect(summaryIn(rest)).toEqual({
      node: {
        nodeName: 'n1',
        startTime: '1970-01-01T00:00:00Z',
        cpu: { time, usageCoreNanoSeconds: 10_000_000 },
        memory: {
          ...{ time, usageBytes: 1 << 30, workingSetBytes: 1 << 29 },
          availableBytes: 2 ** 31 - 2 ** 29,
        },
      },
      pods: [
        {
          podRef: { name: 'web', namespace: 'default', uid: 'uid-1' },
          startTime: expect.any(String),
          containers: [
            {
              name: 'web',
              startTime: expect.any(String),
              cpu: { time, usageCoreNanoSeconds: 1_000_000 },
              memory,
            },
          ],
        },
      ],
    });
  });

  it('leaves out a container that goes while it is read', async () => {
    await bench.run(testPod({}));
    await bench.until(() => bench.status().phase === 'Running');
    bench.runtime.stats = () => Promise.reject(new Error('gone'));
    expect(summaryIn((await serve()).slice(1))).toMatchObject({ pods: [] });
  });
});
