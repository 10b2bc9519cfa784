import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { connect } from 'node:net';

import { onAbort } from '../../lib/async/on-abort';
import type { Container } from '../../api/types';
import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/log';
import { hostPort } from '../../lib/net/ip';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import {
  portOf,
  runExec,
  runHttpGet,
  type ActionResult,
  type ActionTarget,
} from '../handlers/hooks';

export type Probe = NonNullable<Container['livenessProbe']>;

/** Runs a probe once; what goes wrong is a failed probe, not an error. */
export const runProbe = async (
  { runtime, clock }: { readonly runtime: ContainerRuntime; readonly clock: Clock },
  target: ActionTarget,
  probe: Probe,
  signal: AbortSignal,
): Promise<ActionResult> => {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  const { exec, httpGet, tcpSocket, grpc } = probe;
  try {
    if (exec !== undefined)
      return await runExec(runtime, target.containerId, exec.command ?? [], timeoutMs, signal);
    if (httpGet !== undefined) return await runHttpGet(target, httpGet, timeoutMs, clock, signal);
    if (tcpSocket !== undefined) return await runTcp(target, tcpSocket, timeoutMs, signal);
    if (grpc !== undefined)
      return await runGrpc(target, grpc, clock.now() + timeoutMs, timeoutMs, signal);
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
  // eslint-disable-next-line no-restricted-syntax -- the socket has a timeout
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

/** grpc.health.v1.Health/Check: one string out, one enum back. */
const runGrpc = (
  { podIp }: ActionTarget,
  { port, service }: { readonly port: number; readonly service?: string | null },
  deadline: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ActionResult> =>
  // eslint-disable-next-line no-restricted-syntax -- the call has a deadline
  new Promise((resolve) => {
    const address = hostPort(podIp, port);
    // A proxy of the agent's environment is not for its pods.
    const options = { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1 };
    const client = new Client(address, credentials.createInsecure(), options);
    const call = client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (name: string) => Buffer.from(new BinaryWriter().uint32(10).string(name).finish()),
      readStatus,
      service ?? '',
      new Metadata({ waitForReady: false }),
      { deadline },
      (error, health = 'UNKNOWN') => {
        signal.removeEventListener('abort', cancel);
        client.close();
        if (error !== null) resolve({ succeeded: false, output: grpcFailure(error, timeoutMs) });
        else if (health === 'SERVING') resolve({ succeeded: true, output: '' });
        else
          resolve({
            succeeded: false,
            output: `service unhealthy (responded with "${health}")`,
          });
      },
    );
    const cancel = () => call.cancel();
    onAbort(signal, cancel);
  });

const grpcFailure = ({ code, details }: ServiceError, timeoutMs: number): string => {
  if (code === status.UNIMPLEMENTED)
    return `this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`;
  if (code === status.DEADLINE_EXCEEDED)
    return `timeout: no answer from the health service within ${timeoutMs / 1000}s`;
  return `health rpc probe failed: ${details}`;
};

/** The response has one field, an enum with number 1; the default is left out. Others are skipped. */
const readStatus = (bytes: Buffer): string => {
  const reader = new BinaryReader(bytes);
  let health = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) health = reader.int32();
    else reader.skip(type);
  }
  return HEALTH[health] ?? String(health);
};

const HEALTH = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
