import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type * as OpenTelemetry from '../../lib/tracing/open-telemetry';
import type { Tracing } from '../../lib/tracing/tracing';
import { until } from './runtime-host';

// As it is loaded by who traces: the library imports while it runs, which a test may not.
const { createTracing } = createRequire(__filename)(
  '../../dist/open-telemetry.js',
) as typeof OpenTelemetry;

/** A collector that answers in its own way, and tracing that sends everything to it. */
const against = async (answer: (response: ServerResponse) => void) => {
  const server = createServer((request, response) => {
    request.resume();
    answer(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const tracing = createTracing({
    url: `http://127.0.0.1:${port}/v1/traces`,
    samplingRatePerMillion: 1_000_000,
    ...{ service: 'test', instance: 'one', version: '0.0.0' },
  });
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { tracing, close };
};

const trace = (tracing: Tracing, count: number): void => {
  for (let i = 0; i < count; i++) tracing.request('r', { isTrusted: false })?.[Symbol.dispose]();
};

const drip = (response: ServerResponse): void => {
  const timer = setInterval(() => response.write('x'), 100);
  response.on('close', () => clearInterval(timer));
};

/** Spans of which it is known what became of them. */
const settledCount = (tracing: Tracing): number =>
  tracing
    .lines()
    .filter((line) => /_total \d+$/.test(line))
    .reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);

it('lets go of what a collector never ends its answer to', async () => {
  const { tracing, close } = await against(drip);
  try {
    trace(tracing, 500);
    await until(() => settledCount(tracing) === 500);
    await tracing[Symbol.asyncDispose]();
  } finally {
    await close();
  }
});

it.each<[string, (response: ServerResponse) => void]>([
  ['garbage', (response) => response.end('\0{{{')],
  ['more than anybody reads', (response) => response.end('x'.repeat(16 * 2 ** 20))],
  [
    'that it is to wait for years',
    (response) => response.writeHead(503, { 'retry-after': '99999999' }).end(),
  ],
  ['that it is somewhere else', (response) => response.writeHead(302, { location: '/' }).end()],
  ['nothing', (response) => void response.destroy()],
])(
  'comes to an end with a collector that answers %s',
  async (_what, answer) => {
    const { tracing, close } = await against(answer);
    try {
      trace(tracing, 10);
      await tracing[Symbol.asyncDispose]();
      const told = tracing.lines().filter((line) => /_total \d+$/.test(line));
      const counts = told.map((line) => Number(line.split(' ')[1]));
      expect(counts.reduce((sum, each) => sum + each, 0)).toBe(10);
    } finally {
      await close();
    }
  },
  60_000,
);
