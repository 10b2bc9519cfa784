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
  dialFailure,
  portOf,
  runExec,
  runHttpGet,
  UnknownPortError,
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
    const output = describeError(error);
    if (error instanceof UnknownPortError) return { succeeded: false, output, isUnknown: true };
    return { succeeded: false, output };
  }
};

const runTcp = async (
  { container, podIp }: ActionTarget,
  { host, port }: { readonly host?: string; readonly port: number | string },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ActionResult> => {
  const target = {
    host: host === undefined || host === '' ? podIp : host,
    port: portOf(container, port),
  };
  const address = hostPort(target.host, target.port);
  // eslint-disable-next-line no-restricted-syntax -- the socket has a timeout
  return new Promise((resolve) => {
    const socket = connect({ ...target, timeout: timeoutMs, signal });
    const end = (result: ActionResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => end({ succeeded: true, output: '' }));
    socket.on('timeout', () =>
      end({ succeeded: false, output: `dial tcp ${address}: i/o timeout` }),
    );
    socket.on('error', (error) => end({ succeeded: false, output: dialFailure(error, address) }));
  });
};

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
        if (error !== null)
          resolve({ succeeded: false, output: grpcFailure(error, address, timeoutMs) });
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

/** In upstream's words, and the same each time: what tells a failure is counted, and not listed anew. */
const grpcFailure = (
  { code, details }: ServiceError,
  address: string,
  timeoutMs: number,
): string => {
  if (code === status.UNIMPLEMENTED)
    return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`;
  if (code === status.DEADLINE_EXCEEDED)
    return `timeout: health rpc did not complete within ${timeoutMs / 1000}s`;
  const [, last] = NO_CONNECTION.exec(details) ?? [];
  if (last !== undefined) {
    const [, errno] = /^(?:Error: )?connect (E[A-Z]+) /.exec(last) ?? [];
    const why = errno === undefined ? last : dialFailure({ code: errno, message: last }, address);
    return `error: failed to connect service at "${address}": ${why}`;
  }
  return `error: health rpc probe failed: rpc error: code = ${nameOfCode(code)} desc = ${details}`;
};

/** How the library tells of it, without the time that it puts behind. */
const NO_CONNECTION =
  /^No connection established\. Last error: (.*?)(?: \(\d{4}-\d\d-\d\dT[^)]*\))?\. Resolution note:/;

/** As Go writes codes: `NotFound`. A pod may answer with any number. */
const nameOfCode = (code: number): string =>
  ((status as Readonly<Record<number, string | undefined>>)[code] ?? 'UNKNOWN')
    .split('_')
    .map((word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .join('');

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
