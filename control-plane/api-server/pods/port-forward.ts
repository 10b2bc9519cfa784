import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws';
import { ApiError } from '../../../api/errors';
import type { ObjectName } from '../../../api/types';
import type { NodeConnections, PortConnection } from '../../../client/node-connections';
import { onAbort } from '../../../lib/async/on-abort';
import type { Clock } from '../../../lib/clock';
import { SpdySession, type SpdyStream } from '../../../lib/net/spdy/session';
import { toApiError, type ApiRequest } from '../http/exchange';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { UpgradingConnection } from './exec';
import { portChannels, portsOf, type PortStreams } from './port-channels';
import { podPlacementOf, type PodPlacement } from './target';

export interface PortForwardDeps {
  readonly service: ObjectService;
  readonly nodes: NodeConnections;
  readonly clock: Clock;
}

/** Which pod's ports, and how the client speaks. */
export interface PortForwardPlan extends PodPlacement {
  readonly carrier: 'websocket' | 'spdy' | 'channels';
  /** For channels alone: in streams, each says its own. */
  readonly ports: readonly number[];
}

/**
 * portforward: streams of SPDY/3.1, either right on the connection or within a WebSocket. A connection
 * to a port is two streams of one `requestid`: its bytes, and what goes wrong. Source: KEP-4006. Or
 * channels of a WebSocket, one connection to each port.
 */
export class PortForwardGateway {
  private readonly sockets = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_BYTES_MAX,
    handleProtocols: (offered) => (offered.has(TOKEN) ? TOKEN : CHANNELS_PROTOCOL),
  });

  constructor(private readonly deps: PortForwardDeps) {
    this.sockets.on('headers', (lines) => {
      const at = lines.indexOf(`Sec-WebSocket-Protocol: ${TOKEN}`);
      if (at >= 0) lines[at] = `Sec-WebSocket-Protocol: ${TUNNEL_PROTOCOL}`;
    });
  }

  /** What can be refused is refused here, before the upgrade. @throws ApiError */
  async plan(
    pods: ServedKind,
    name: ObjectName,
    { signal, user, headers, query }: ApiRequest,
  ): Promise<PortForwardPlan> {
    const carrier = carrierOf(headers);
    const ports = carrier === 'channels' ? portsOf(query) : [];
    const { service, nodes } = this.deps;
    await service.admission.pass(
      {
        ...{ operation: 'CONNECT', kind: pods, subresource: 'portforward' },
        ...{ namespace: name.namespace, name: name.name, user },
        connection: {
          ...{ kind: 'PodPortForwardOptions', apiVersion: 'v1' },
          ...(ports.length === 0 ? {} : { ports }),
        },
        ...{ isDryRun: false, isAgain: false, warnings: [] },
      },
      signal,
    );
    const placement = await podPlacementOf(service, pods, name, signal);
    if (!nodes.isConnected(placement.nodeName))
      throw new ApiError(
        'ServiceUnavailable',
        `node ${JSON.stringify(placement.nodeName)} is not connected`,
      );
    return { ...placement, carrier, ports };
  }

  /** Upgrades the connection and carries what it asks for until either side ends. */
  async serve(
    plan: PortForwardPlan,
    connection: UpgradingConnection,
    signal: AbortSignal,
  ): Promise<void> {
    if (plan.carrier === 'channels') {
      await this.serveChannels(
        plan,
        await this.openWebSocket(connection, CHANNELS_PROTOCOL),
        signal,
      );
      return;
    }
    const carrier = await this.upgrade(plan, connection);
    onAbort(signal, () => carrier.destroy());
    const { nodes, clock } = this.deps;
    const pairs = new Pairs(clock, (pair) => void forward(nodes, plan, pair, signal));
    using session = new SpdySession(carrier, {
      role: 'server',
      streamsMax: STREAMS_MAX,
      onStream: (stream) => pairs.add(stream),
    });
    // A client that leaves, or breaks the protocol, is its own affair.
    await session.run().catch(() => undefined);
  }

  private async serveChannels(
    plan: PortForwardPlan,
    webSocket: WebSocket,
    signal: AbortSignal,
  ): Promise<void> {
    onAbort(signal, () => webSocket.terminate());
    const pairs = portChannels(webSocket, plan.ports);
    await Promise.all(
      pairs.map(async (pair) => {
        await forward(this.deps.nodes, plan, pair, signal);
        if (!pair.error.destroyed) await endOf(pair.error);
      }),
    );
    webSocket.close(1000);
  }

  private async upgrade(
    { carrier }: PortForwardPlan,
    connection: UpgradingConnection,
  ): Promise<Duplex> {
    const { socket, head } = connection;
    if (carrier === 'spdy') {
      socket.write(SWITCHING);
      if (head.length > 0) socket.unshift(head);
      return socket;
    }
    const webSocket = await this.openWebSocket(connection, TOKEN);
    const stream = createWebSocketStream(webSocket);
    stream.on('error', () => webSocket.terminate());
    return stream;
  }

  /** The WebSocket, paused: what the client sends waits for who reads it. */
  private openWebSocket(
    { raw, socket, head }: UpgradingConnection,
    protocol: string,
  ): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const refused = () => reject(new ApiError('BadRequest', 'the WebSocket handshake failed'));
      socket.once('close', refused);
      // A tunnel's name has a slash, which the library, as the standard, takes for no name.
      raw.headers['sec-websocket-protocol'] = protocol;
      this.sockets.handleUpgrade(raw, socket, head, (webSocket) => {
        socket.off('close', refused);
        webSocket.on('error', () => webSocket.terminate());
        webSocket.pause();
        resolve(webSocket);
      });
    });
  }
}

/** @throws BadRequest */
const carrierOf = (headers: ApiRequest['headers']): PortForwardPlan['carrier'] => {
  const offered = (name: string) => (headers[name] ?? '').split(',').map((text) => text.trim());
  const upgrade = (headers['upgrade'] ?? '').toLowerCase();
  if (upgrade === 'websocket' && offered('sec-websocket-protocol').includes(TUNNEL_PROTOCOL))
    return 'websocket';
  if (upgrade === 'websocket' && offered('sec-websocket-protocol').includes(CHANNELS_PROTOCOL))
    return 'channels';
  const versions = offered('x-stream-protocol-version');
  if (upgrade === 'spdy/3.1' && versions.includes(PORT_PROTOCOL)) return 'spdy';
  throw new ApiError(
    'BadRequest',
    `unable to upgrade: this server speaks ${TUNNEL_PROTOCOL} and ${CHANNELS_PROTOCOL} by WebSocket, and ${PORT_PROTOCOL} by SPDY/3.1`,
  );
};

/** Brings together the two streams of each connection. One that stays alone is reset. */
class Pairs {
  private readonly alone = new Map<string, SpdyStream>();

  constructor(
    private readonly clock: Clock,
    private readonly onPair: (pair: PortStreams) => void,
  ) {}

  add(stream: SpdyStream): void {
    const { streamtype: type, requestid: id = '', port: text = '' } = stream.headers;
    const port = Number(text);
    const isPort = /^\d{1,5}$/.test(text) && port > 0 && port < 65_536;
    if ((type !== 'data' && type !== 'error') || !isPort) {
      stream.destroy();
      return;
    }
    const other = this.alone.get(id);
    if (other === undefined || other.headers['streamtype'] === type) {
      this.wait(id, stream);
      return;
    }
    this.alone.delete(id);
    const [data, error] = type === 'data' ? [stream, other] : [other, stream];
    this.onPair({ data, error, port });
  }

  private wait(id: string, stream: SpdyStream): void {
    this.alone.get(id)?.destroy();
    this.alone.set(id, stream);
    const callOff = this.clock.after(PAIR_MS, () => {
      if (this.alone.get(id) === stream) stream.destroy();
    });
    stream.once('close', () => {
      callOff();
      if (this.alone.get(id) === stream) this.alone.delete(id);
    });
  }
}

/** Carries one connection. Never throws: the client is told on the error stream. */
const forward = async (
  nodes: NodeConnections,
  { nodeName, target }: PodPlacement,
  { data, error, port }: PortStreams,
  signal: AbortSignal,
): Promise<void> => {
  // The client says nothing on it.
  error.resume();
  try {
    await using connection = await nodes.connect(nodeName, { ...target, port }, signal);
    const sending = sendInput(data, connection);
    for await (const chunk of connection.output) await written(data, chunk);
    data.end();
    // Who has read all may still have something to say, for a moment.
    if (!data.destroyed) await Promise.race([sending, endOf(data)]);
    error.end();
  } catch (failure) {
    const { podName, podUid } = target;
    const { message } = toApiError(failure);
    error.end(`error forwarding port ${port} to pod ${podName}, uid ${podUid}: ${message}`);
    data.destroy();
  }
};

const sendInput = async (data: Duplex, connection: PortConnection): Promise<void> => {
  try {
    // What comes back may go on after the client has said all.
    const chunks = data.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const chunk of chunks) await connection.write(chunk);
  } catch {
    // Reset by the client, or the node has gone: what is read tells of it.
  }
  connection.end();
};

const endOf = (stream: Duplex): Promise<void> =>
  new Promise((resolve) => {
    stream.once('close', resolve);
  });

/** Resolves when the client takes more. @throws Error when it has gone */
const written = (stream: Duplex, data: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(data, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });

const PORT_PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = `SPDY/3.1+${PORT_PROTOCOL}`;
const CHANNELS_PROTOCOL = 'v4.channel.k8s.io';
/** What stands for the tunnel's name within the library. */
const TOKEN = 'spdy-tunnel';
const SWITCHING = [
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: SPDY/3.1',
  `X-Stream-Protocol-Version: ${PORT_PROTOCOL}`,
  '\r\n',
].join('\r\n');
const FRAME_BYTES_MAX = 1024 * 1024;
/** Two a connection. */
const STREAMS_MAX = 256;
const PAIR_MS = 30_000;
