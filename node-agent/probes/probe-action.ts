import { Client, credentials } from '@grpc/grpc-js';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { connect } from 'node:net';

import type { Container } from '../../api/types';
import { describeError } from '../../lib/log';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import { portOf, runExec, runHttpGet, type ActionResult, type ActionTarget } from '../pods/hooks';

export type Probe = NonNullable<Container['livenessProbe']>;

/** Runs a probe once; what goes wrong is a failed probe, not an error. */
export const runProbe = async (
  runtime: ContainerRuntime,
  target: ActionTarget,
  probe: Probe,
  signal: AbortSignal,
): Promise<ActionResult> => {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  const { exec, httpGet, tcpSocket, grpc } = probe;
  try {
    if (exec !== undefined)
      return await runExec(runtime, target.containerId, exec.command ?? [], timeoutMs, signal);
    if (httpGet !== undefined) return await runHttpGet(target, httpGet, timeoutMs, signal);
    if (tcpSocket !== undefined) return await runTcp(target, tcpSocket, timeoutMs, signal);
    if (grpc !== undefined) return await runGrpc(target, grpc, timeoutMs);
    return { succeeded: true, output: '' };
  } catch (error) {
    return { succeeded: false, output: describeError(error) };
  }
};

const runTcp = (
  { container, podIp }: ActionTarget,
  { host, port }: { readonly host?: string; readonly port: number | string },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ActionResult> =>
  new Promise((resolve) => {
    const target = host === undefined || host === '' ? podIp : host;
    const socket = connect({
      host: target,
      port: portOf(container, port),
      timeout: timeoutMs,
      signal,
    });
    const end = (result: ActionResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => end({ succeeded: true, output: '' }));
    socket.on('timeout', () => end({ succeeded: false, output: 'dial tcp: i/o timeout' }));
    socket.on('error', ({ message }) => end({ succeeded: false, output: message }));
  });

const SERVING = 1;

/** grpc.health.v1.Health/Check: one string out, one enum back. */
const runGrpc = (
  { podIp }: ActionTarget,
  { port, service = '' }: { readonly port: number; readonly service?: string | null },
  timeoutMs: number,
): Promise<ActionResult> =>
  new Promise((resolve) => {
    const client = new Client(`${podIp}:${port}`, credentials.createInsecure());
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (name: string) => Buffer.from(new BinaryWriter().uint32(10).string(name).finish()),
      readStatus,
      service ?? '',
      (error, status) => {
        client.close();
        if (error !== null) resolve({ succeeded: false, output: error.message });
        else if (status === SERVING) resolve({ succeeded: true, output: '' });
        else
          resolve({ succeeded: false, output: 'service unhealthy (responded with NOT_SERVING)' });
      },
    );
    setTimeout(() => client.close(), timeoutMs).unref();
  });

/** The response has one field, an enum with number 1: `08 NN`, or nothing for zero. */
const readStatus = (bytes: Buffer): number => (bytes[0] === 8 ? (bytes[1] ?? 0) : 0);
