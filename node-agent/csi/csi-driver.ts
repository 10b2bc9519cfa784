import { credentials, type ClientUnaryCall, type ServiceError } from '@grpc/grpc-js';

import { onAbort } from '../../lib/async/on-abort';
import type { Clock } from '../../lib/clock';
import {
  NodeClient,
  NodeServiceCapability_RPC_Type as Capability,
  type NodeExpandVolumeRequest,
  type NodeGetCapabilitiesResponse,
  type NodeGetInfoResponse,
  type NodeGetVolumeStatsRequest,
  type NodeGetVolumeStatsResponse,
  type NodePublishVolumeRequest,
  type NodeStageVolumeRequest,
  type NodeUnpublishVolumeRequest,
  type NodeUnstageVolumeRequest,
} from '../../proto/gen/csi/v1/node';

/** What the driver of a volume does on this node. Every call ends in time, and may be made again. */
export interface CsiDriver {
  info(signal: AbortSignal): Promise<NodeGetInfoResponse>;
  capabilities(signal: AbortSignal): Promise<ReadonlySet<Capability>>;
  stage(request: NodeStageVolumeRequest, signal: AbortSignal): Promise<void>;
  unstage(request: NodeUnstageVolumeRequest, signal: AbortSignal): Promise<void>;
  publish(request: NodePublishVolumeRequest, signal: AbortSignal): Promise<void>;
  unpublish(request: NodeUnpublishVolumeRequest, signal: AbortSignal): Promise<void>;
  expand(request: NodeExpandVolumeRequest, signal: AbortSignal): Promise<void>;
  stats(
    request: NodeGetVolumeStatsRequest,
    signal: AbortSignal,
  ): Promise<NodeGetVolumeStatsResponse>;
}

export { Capability };

/** Upstream's csiTimeout. */
const CALL_LIMIT_MS = 120_000;

/** By the socket at `path`; each call has a connection of its own, so that nothing outlives it. */
export const csiDriverAt = (path: string, clock: Clock): CsiDriver => {
  const call = async <Response>(
    start: (client: NodeClient, done: Done<Response>) => ClientUnaryCall,
    signal: AbortSignal,
  ): Promise<Response> => {
    const client = new NodeClient(`unix:${path}`, credentials.createInsecure());
    try {
      const limit = { limitMs: CALL_LIMIT_MS, clock, signal };
      return await unaryCall((done: Done<Response>) => start(client, done), limit);
    } finally {
      client.close();
    }
  };
  return {
    info: (signal) => call((client, done) => client.nodeGetInfo({}, done), signal),
    capabilities: async (signal) => {
      const { capabilities } = await call<NodeGetCapabilitiesResponse>(
        (client, done) => client.nodeGetCapabilities({}, done),
        signal,
      );
      return new Set(
        capabilities.flatMap(({ type }) => (type?.$case === 'rpc' ? [type.value.type] : [])),
      );
    },
    stage: async (request, signal) => {
      await call((client, done) => client.nodeStageVolume(request, done), signal);
    },
    unstage: async (request, signal) => {
      await call((client, done) => client.nodeUnstageVolume(request, done), signal);
    },
    publish: async (request, signal) => {
      await call((client, done) => client.nodePublishVolume(request, done), signal);
    },
    unpublish: async (request, signal) => {
      await call((client, done) => client.nodeUnpublishVolume(request, done), signal);
    },
    expand: async (request, signal) => {
      await call((client, done) => client.nodeExpandVolume(request, done), signal);
    },
    stats: (request, signal) =>
      call((client, done) => client.nodeGetVolumeStats(request, done), signal),
  };
};

export type Done<Response> = (error: ServiceError | null, response: Response) => void;

interface CallLimit {
  readonly limitMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** One call to a plugin, whose errors read as upstream's. @throws Error, or the signal's reason */
export const unaryCall = <Response>(
  start: (done: Done<Response>) => ClientUnaryCall,
  { limitMs, clock, signal }: CallLimit,
): Promise<Response> =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const undo: (() => void)[] = [];
    const call = start((error, response) => {
      for (const each of undo) each();
      if (error === null) resolve(response);
      else if (signal.aborted && signal.reason instanceof Error) reject(signal.reason);
      else reject(new Error(`rpc error: code = ${codeName(error)} desc = ${error.details}`));
    });
    undo.push(
      clock.after(limitMs, () => call.cancel()),
      onAbort(signal, () => call.cancel()),
    );
  });

const codeName = ({ code }: ServiceError): string => CODES[code] ?? `Code(${code})`;

/** As Go prints them. */
const CODES: readonly string[] = [
  ...['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound'],
  ...['AlreadyExists', 'PermissionDenied', 'ResourceExhausted', 'FailedPrecondition', 'Aborted'],
  ...['OutOfRange', 'Unimplemented', 'Internal', 'Unavailable', 'DataLoss', 'Unauthenticated'],
];
