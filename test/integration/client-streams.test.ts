import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ApiError } from '../../api/errors';
import type { ExecOutput, NodeConnections } from '../../client/node-connections';
import { Channel } from '../../lib/async/channel';
import { startKubectlServer, type KubectlServer } from './support/kubectl-server';

/*
 * Streams of the official client for JavaScript, which speaks older protocols than kubectl: one WebSocket
 * with a channel for each direction.
 */

/** A node that echoes on port 80, and whose commands end as they are told to. */
const NODE: NodeConnections = {
  isConnected: () => true,
  logs: () => {
    throw new ApiError('BadRequest', 'no logs');
  },
  exec: async (_node, { command }) => {
    const output = new Channel<ExecOutput>(10);
    output.push({ stream: 'stdout', data: Buffer.from(`${command?.join(' ')}`) });
    output.push({ stream: 'exit', exitCode: Number(command?.[1]) });
    output.end();
    return {
      output,
      writeStdin: async () => undefined,
      closeStdin: () => undefined,
      resize: () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
  connect: async (_node, { port }) => {
    if (port !== 80) throw new ApiError('BadRequest', 'nobody listens there');
    const output = new Channel<Uint8Array>(1000);
    return {
      output,
      write: async (data) => void output.push(data),
      end: () => output.end(),
      [Symbol.asyncDispose]: async () => output.end(),
    };
  },
  usage: () => Promise.reject(new ApiError('ServiceUnavailable', 'not measured')),
  metrics: () => Promise.reject(new ApiError('ServiceUnavailable', 'not measured')),
  isolation: () => Promise.reject(new ApiError('ServiceUnavailable', 'not measured')),
};

const POD = `
apiVersion: v1
kind: Pod
metadata: { name: web }
spec: { nodeName: node-1, containers: [{ name: web, image: i }] }
`;

let host: KubectlServer;

beforeAll(async () => {
  host = await startKubectlServer({ nodeConnections: NODE });
});

afterAll(() => host[Symbol.asyncDispose]());

it('carries ports and commands of clients that know no tunnels', async () => {
  await host.ok('create -f -', 'apiVersion: v1\nkind: Node\nmetadata: { name: node-1 }\n');
  await host.ok('create -f -', POD);
  await host.ok('patch pod web --subresource=status -p {"status":{"phase":"Running"}}');
  const program = join(host.directory, 'client-streams.js');
  await build({
    entryPoints: [join(__dirname, 'support', 'client-streams.ts')],
    outfile: program,
    ...{ bundle: true, platform: 'node', target: 'node20', logLevel: 'error' },
  });
  const child = spawn(process.execPath, [program], { env: host.env });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const linesOf = () =>
    said
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  try {
    const deadlineMs = Date.now() + 60_000;
    while (linesOf().length < 4 && Date.now() < deadlineMs)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(linesOf()).toEqual([
      'echo: 300000',
      expect.stringMatching(/^error: error forwarding port 81 to pod web, uid \S+: nobody listens/),
      'status: NonZeroExitCode 7',
      'stdout: exit 7',
    ]);
  } finally {
    child.kill('SIGKILL');
  }
});
