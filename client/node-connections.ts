import type { StatusReason } from '../api/errors';

/**
 * How the API reaches a container on a node. Implemented by `control-plane/nodes` over the agents'
 * connections; used by the log, exec, attach, portforward and proxy subresources, and for metrics.
 */
export interface NodeConnections {
  isConnected(nodeName: string): boolean;

  /** Bytes of the log as asked for; ends when the log does. @throws ApiError */
  logs(nodeName: string, request: LogsRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;

  /** Runs a command, or attaches to the main process when `command` is undefined. @throws ApiError */
  exec(nodeName: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession>;

  /** Connects to a port of a pod, as from within. @throws ApiError, when nobody answers there too */
  connect(nodeName: string, request: PortRequest, signal: AbortSignal): Promise<PortConnection>;

  /** What the node and its containers have used up to now, within seconds. @throws ApiError */
  usage(nodeName: string, signal: AbortSignal): Promise<UsageReport>;

  /** A page of the kubelet's metrics, as the node says, unchecked, up to some MiB. @throws ApiError */
  metrics(nodeName: string, path: MetricsPath, signal: AbortSignal): Promise<Uint8Array>;

  /** How a pod's containers are shut in: JSON as the node says, unchecked, up to some MiB. @throws ApiError */
  isolation(nodeName: string, target: PodTarget, signal: AbortSignal): Promise<Uint8Array>;
}

/** Source: upstream's `pkg/kubelet/server/server.go`. */
export const METRICS_PATHS = ['metrics', 'metrics/cadvisor', 'metrics/resource'] as const;
export type MetricsPath = (typeof METRICS_PATHS)[number];

/** As a node says, unchecked. */
export interface UsageReport {
  /** Names the clock of `monotonicMs`. */
  readonly clockId: string;
  /** When the counters were read. */
  readonly monotonicMs: number;
  /** JSON as of the kubelet's `stats/summary`, up to some MiB. */
  readonly summary: Uint8Array;
}

export interface PodTarget {
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
}

export interface ContainerTarget extends PodTarget {
  readonly container: string;
}

export interface PortRequest extends PodTarget {
  readonly port: number;
}

/** Disposing of it ends both directions. */
export interface PortConnection extends AsyncDisposable {
  /** Ends when the pod's side does. @throws ApiError when it breaks */
  readonly output: AsyncIterable<Uint8Array>;
  /** Resolves when the node can take more. */
  write(data: Uint8Array): Promise<void>;
  /** Nothing more comes from this side. */
  end(): void;
}

export interface LogsRequest extends ContainerTarget {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339 */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
}

export interface ExecRequest extends ContainerTarget {
  readonly command?: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export type ExecOutput =
  | { readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }
  /** Last: the process ended, by itself (0..255, or 128+signal). */
  | { readonly stream: 'exit'; readonly exitCode: number }
  /** Last: it could not be run at all. */
  | { readonly stream: 'error'; readonly reason: StatusReason; readonly message: string };

export interface ExecSession extends AsyncDisposable {
  readonly output: AsyncIterable<ExecOutput>;
  /** Resolves when the node can take more. */
  writeStdin(data: Uint8Array): Promise<void>;
  closeStdin(): void;
  resize(columns: number, rows: number): void;
}
