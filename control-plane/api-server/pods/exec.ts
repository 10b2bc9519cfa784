import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { onAbort } from '../../../lib/async/on-abort';
import { ApiError, type Status } from '../../../api/errors';
import type { ObjectName } from '../../../api/types';
import type {
  ExecOutput,
  ExecRequest,
  ExecSession,
  NodeConnections,
} from '../../../client/node-connections';
import { successStatus, toApiError, type ApiRequest } from '../http/exchange';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import { isTrue } from '../rest/options';
import { placementOf } from './target';
import { parseJson, stringifyJson } from '../../../lib/json';

export interface ExecDeps {
  readonly service: ObjectService;
  readonly nodes: NodeConnections;
}

/** A command, or the main process, in a container on a node. */
export interface ExecPlan {
  readonly nodeName: string;
  readonly request: ExecRequest;
}

/** A connection whose client asks for another protocol, as node:http hands it over. */
export interface UpgradingConnection {
  readonly raw: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** exec and attach over a WebSocket that speaks v5.channel.k8s.io. */
export class ExecGateway {
  private readonly sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  });

  constructor(private readonly deps: ExecDeps) {}

  /**
   * What is asked, of which node, if admission lets it be. Everything that can be refused is refused here, before the
   * upgrade: a client whose upgrade fails tries an older protocol and shows that failure instead.
   * @throws ApiError
   */
  async plan(
    pods: ServedKind,
    name: ObjectName,
    isAttach: boolean,
    { query, signal, user }: ApiRequest,
  ): Promise<ExecPlan> {
    const options = execOptions(query, isAttach);
    const container = query.get('container') ?? '';
    const { service, nodes } = this.deps;
    const connection = {
      kind: isAttach ? 'PodAttachOptions' : 'PodExecOptions',
      ...{ apiVersion: 'v1', ...options, ...(container === '' ? {} : { container }) },
    };
    await service.admission.pass(
      {
        ...{ operation: 'CONNECT', kind: pods, subresource: isAttach ? 'attach' : 'exec' },
        ...{ namespace: name.namespace, name: name.name, connection, user },
        ...{ isDryRun: false, isAgain: false, warnings: [] },
      },
      signal,
    );
    const { nodeName, target } = await placementOf(service, pods, name, container, signal);
    if (!nodes.isConnected(nodeName))
      throw new ApiError('ServiceUnavailable', `node ${JSON.stringify(nodeName)} is not connected`);
    return { nodeName, request: { ...target, ...options } };
  }

  /** Upgrades the connection and carries the session's streams until either side ends. */
  async serve(plan: ExecPlan, connection: UpgradingConnection, signal: AbortSignal): Promise<void> {
    const webSocket = await this.upgrade(connection);
    const stop = () => webSocket.terminate();
    onAbort(signal, stop);
    try {
      await using session = await this.deps.nodes.exec(plan.nodeName, plan.request, signal);
      takeInput(webSocket, session);
      webSocket.resume();
      await sendOutput(webSocket, session.output);
    } catch (error) {
      await sendFrame(webSocket, STATUS, Buffer.from(stringifyJson(failureOf(toApiError(error)))));
    } finally {
      signal.removeEventListener('abort', stop);
      webSocket.resume();
      webSocket.close(1000);
    }
  }

  /** The WebSocket, paused: what the client sends waits for the session. */
  private upgrade({ raw, socket, head }: UpgradingConnection): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const refused = () => reject(new ApiError('BadRequest', 'the WebSocket handshake failed'));
      socket.once('close', refused);
      this.sockets.handleUpgrade(raw, socket, head, (webSocket) => {
        socket.off('close', refused);
        webSocket.on('error', () => webSocket.terminate());
        webSocket.pause();
        resolve(webSocket);
      });
    });
  }
}

/** @throws BadRequest when the client offers no protocol that this server speaks */
export const checkProtocol = ({ headers }: ApiRequest): void => {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((text) => text.trim());
  if (PROTOCOLS.some((protocol) => offered.includes(protocol))) return;
  throw new ApiError(
    'BadRequest',
    `unable to upgrade: no common subprotocol, this server speaks ${PROTOCOLS.join(', ')}`,
  );
};

const execOptions = (query: URLSearchParams, isAttach: boolean) => {
  const tty = isTrue(query, 'tty');
  const options = {
    stdin: isTrue(query, 'stdin'),
    stdout: isTrue(query, 'stdout'),
    // A terminal has one output.
    stderr: isTrue(query, 'stderr') && !tty,
    tty,
  };
  if (!options.stdin && !options.stdout && !options.stderr)
    throw new ApiError('BadRequest', 'you must specify at least 1 of stdin, stdout, stderr');
  if (isAttach) return options;
  const command = query.getAll('command');
  if (command.length === 0) throw new ApiError('BadRequest', 'you must specify a command');
  return { ...options, command } satisfies Partial<ExecRequest>;
};

/** One frame at a time: the next is read once the node has taken this one. */
const takeInput = (webSocket: WebSocket, session: ExecSession): void => {
  let isPaused = false;
  webSocket.on('message', (data: RawData, isBinary: boolean) => {
    const frame = toBuffer(data);
    const channel = frame[0];
    if (!isBinary || channel === undefined) return;
    const payload = frame.subarray(1);
    if (channel === STDIN) {
      if (payload.length === 0) return;
      isPaused = true;
      webSocket.pause();
      session
        .writeStdin(payload)
        .catch(() => undefined)
        .finally(() => {
          if (isPaused) webSocket.resume();
          isPaused = false;
        });
    } else if (channel === RESIZE) resize(session, payload);
    else if (channel === CLOSE && payload[0] === STDIN) session.closeStdin();
  });
  webSocket.once('close', () => session.closeStdin());
};

const resize = (session: ExecSession, payload: Uint8Array): void => {
  try {
    const size = parseJson(Buffer.from(payload).toString()) as {
      Width?: unknown;
      Height?: unknown;
    };
    const { Width: columns, Height: rows } = size;
    if (isDimension(columns) && isDimension(rows)) session.resize(columns, rows);
  } catch {
    // Not a size: nothing to do.
  }
};

const isDimension = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;

/** Ends with a status on the error channel, which says how the process ended. */
const sendOutput = async (
  webSocket: WebSocket,
  output: AsyncIterable<ExecOutput>,
): Promise<void> => {
  for await (const part of output) {
    if (webSocket.readyState !== webSocket.OPEN) return;
    if ('data' in part)
      await sendFrame(webSocket, part.stream === 'stdout' ? STDOUT : STDERR, part.data);
    else await sendStatus(webSocket, part);
  }
};

const sendStatus = (webSocket: WebSocket, end: ExecEnd): Promise<void> =>
  sendFrame(webSocket, STATUS, Buffer.from(stringifyJson(endStatus(end))));

/** Resolves when the frame has been handed to the kernel. A socket that is gone is no error here. */
const sendFrame = (webSocket: WebSocket, channel: number, data: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    webSocket.send(Buffer.concat([Buffer.of(channel), data]), { binary: true }, () => resolve());
  });

type ExecEnd = Extract<ExecOutput, { stream: 'exit' | 'error' }>;

const endStatus = (end: ExecEnd): Partial<Status> => {
  if (end.stream === 'error') return failureOf(new ApiError(end.reason, end.message));
  if (end.exitCode === 0) return { metadata: {}, status: successStatus().status };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${end.exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(end.exitCode) }] },
  };
};

/** Why a stream could not begin: a container that waits is the asker's affair, not the server's. */
const failureOf = ({ message, reason, code }: ApiError): Partial<Status> => ({
  ...{ metadata: {}, status: 'Failure', message, reason, code },
  details: { causes: [{ reason: '', message }] },
});

/** A frame in one piece. */
export const toBuffer = (data: RawData): Buffer => {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
};

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const RESIZE = 4;
const CLOSE = 255;
const MAX_FRAME_BYTES = 4 * 1024 * 1024;
