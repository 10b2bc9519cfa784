import { Worker } from 'node:worker_threads';
import type { OwnServer } from './own-server';

export interface Probe {
  readonly status: number;
  readonly tookMs: number;
}

/**
 * What /livez answers until `work` is done, asked again and again from a thread of its own: this one is
 * busy sending.
 */
export const livezDuring = async (
  server: OwnServer,
  work: () => Promise<unknown>,
): Promise<readonly Probe[]> => {
  const prober = new Worker(PROBER, { eval: true, workerData: `${server.url}/livez` });
  const probes: Probe[] = [];
  const failed = new Promise<never>((_resolve, reject) => prober.once('error', reject));
  const first = new Promise((resolve) => prober.once('message', resolve));
  prober.on('message', (probe: Probe) => probes.push(probe));
  try {
    await Promise.race([first, failed]);
    probes.length = 0;
    await Promise.race([work(), failed]);
    return probes;
  } finally {
    await prober.terminate();
  }
};

/**
 * Most are in time, and none is far from it. No more is asked: on a busy machine a process may wait for
 * its turn longer than the server ever holds it.
 */
export const expectInTime = (probes: readonly Probe[]): void => {
  expect(probes.length).toBeGreaterThan(0);
  for (const { status } of probes) expect(status).toBe(200);
  const tookMs = probes.map((probe) => probe.tookMs).sort((a, b) => a - b);
  if (probes.length >= 20) expect(tookMs[Math.floor(tookMs.length / 2)]).toBeLessThan(200);
  expect(tookMs.at(-1)).toBeLessThan(3000);
};

const PROBER = `
const { get, Agent } = require('node:https');
const { parentPort, workerData } = require('node:worker_threads');
const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
const probe = () => {
  const startMs = performance.now();
  get(workerData, { agent }, (response) => {
    response.resume();
    response.on('end', () => {
      parentPort.postMessage({ status: response.statusCode, tookMs: performance.now() - startMs });
      setTimeout(probe, 10);
    });
  });
};
probe();
`;
