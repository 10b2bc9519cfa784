import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLog } from '../../lib/log';
import type { AttachRequest, AttachResponse } from '../../proto/gen/dhow/agent/v1/agent';
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
