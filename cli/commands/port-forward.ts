import { createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { isPodReady } from '../../api/pods';
import { SERVICES } from '../../api/resources';
import type { Service } from '../../api/types';
import { onAbort } from '../../lib/async/on-abort';
import { hostPort } from '../../lib/net/ip';
import { SpdySession, type SpdyStream } from '../../lib/net/spdy/session';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { printable } from '../output/terminal';
import { openPortConnection } from '../pod-stream';
import { codeOfStop } from '../program';
import { isService, podName, podOrWorkload } from '../targets';
import { UsageError } from '../usage-error';
import { startedPod } from './attach';
import {
  parsePorts,
  parseServicePorts,
  requireServicePorts,
  type ForwardedPort,
} from './forwarded-ports';

export interface PortForwardOptions {
  readonly address?: readonly string[];
  readonly podRunningTimeout?: string;
}

/** Makes ports of this machine lead to ports of a pod, until the user, or the pod, ends it. */
export const portForward = async (
  context: CliContext,
  target: string,
  ports: readonly string[],
  options: PortForwardOptions,
): Promise<number> => {
  if (ports.length === 0) {
    throw new UsageError('TYPE/NAME and list of ports are required for port-forward');
  }
  const limitMs = durationMs('--pod-running-timeout', options.podRunningTimeout ?? '1m');
  const service = await serviceOf(context, target);
  // A port that is not there is no reason to wait for a pod.
  if (service !== undefined) requireServicePorts(ports, service);
  const name = await podName(context, target, isPodReady);
  const pod = await startedPod(context, name, limitMs);
  if (pod.status.phase !== 'Running') {
    throw new UsageError(
      `unable to forward port because pod is not running. Current status=${pod.status.phase ?? ''}`,
    );
  }
  const wanted =
    service === undefined ? parsePorts(ports, pod) : parseServicePorts(ports, service, pod);
  const connection = await openPortConnection(context, name);
  const session = new SpdySession(connection, { role: 'client', streamsMax: 0 });
  const ended = session.run();
  const servers = new LocalPorts(context, session);
  try {
    for (const port of wanted) await servers.listen(port, addressesOf(options.address));
    return await untilEnd(context, ended);
  } finally {
    servers[Symbol.dispose]();
    session[Symbol.dispose]();
  }
};

/** The service that is meant; its ports lead to those of its pods. */
const serviceOf = async (context: CliContext, arg: string): Promise<Service | undefined> => {
  const target = await podOrWorkload(context, arg);
  if (typeof target === 'string' || !isService(target.info)) return undefined;
  const { client, namespace = 'default', signal } = context;
  return client.get(SERVICES, { namespace, name: target.name }, signal);
};

const untilEnd = ({ signal }: CliContext, ended: Promise<void>): Promise<number> =>
  new Promise((resolve, reject) => {
    onAbort(signal, () => resolve(codeOfStop(signal.reason)));
    const lost = (cause?: unknown) => reject(new UsageError('lost connection to pod', { cause }));
    ended.then(() => lost(), lost);
  });

/** `localhost` is both of its addresses. */
const addressesOf = (given: readonly string[] = ['localhost']): readonly Address[] =>
  given.flatMap((host) =>
    host === 'localhost'
      ? [
          { host: '127.0.0.1', isNeeded: true },
          { host: '::1', isNeeded: false },
        ]
      : [{ host, isNeeded: true }],
  );

interface Address {
  readonly host: string;
  /** Not every machine has IPv6. */
  readonly isNeeded: boolean;
}

/** The ports of this machine, and the connections to them. */
class LocalPorts implements Disposable {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private nextRequest = 0;

  constructor(
    private readonly context: CliContext,
    private readonly session: SpdySession,
  ) {}

  /** @throws UsageError when the port is taken */
  async listen({ local, remote }: ForwardedPort, addresses: readonly Address[]): Promise<void> {
    let port = local;
    for (const { host, isNeeded } of addresses) {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        void this.forward(socket, port, remote);
      });
      try {
        port = await listening(server, host, port);
      } catch (error) {
        if (!isNeeded) continue;
        throw new UsageError(
          `unable to listen on port ${local} of ${host}: ${(error as Error).message}`,
          { cause: error },
        );
      }
      this.servers.push(server);
      this.context.terminal.out.write(`Forwarding from ${hostPort(host, port)} -> ${remote}\n`);
    }
  }

  [Symbol.dispose](): void {
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Never throws: what goes wrong is told, and the port stays. */
  private async forward(socket: Socket, local: number, remote: number): Promise<void> {
    const { terminal } = this.context;
    socket.on('error', () => undefined);
    if (this.sockets.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    terminal.out.write(`Handling connection for ${local}\n`);
    const shared = { port: String(remote), requestID: String(this.nextRequest++) };
    try {
      const error = await this.session.open({ streamType: 'error', ...shared });
      error.end();
      const data = await this.session.open({ streamType: 'data', ...shared });
      const complaint = text(error).catch(() => '');
      join(socket, data);
      const said = (await complaint).slice(0, COMPLAINT_MAX);
      if (said !== '') {
        terminal.err.write(
          `error: an error occurred forwarding ${local} -> ${remote}: ${printable(said)}\n`,
        );
        data.destroy();
      }
    } catch (error) {
      terminal.err.write(`error: ${printable((error as Error).message)}\n`);
      socket.destroy();
    } finally {
      this.sockets.delete(socket);
    }
  }
}

/** Each direction ends by itself; one that breaks breaks both. */
const join = (socket: Socket, data: SpdyStream): void => {
  socket.pipe(data);
  data.pipe(socket);
  data.once('close', () => {
    if (!socket.writableEnded || !data.readableEnded) socket.destroy();
    else socket.end();
  });
  socket.once('close', () => {
    if (!socket.readableEnded || !data.readableEnded) data.destroy();
  });
};

const listening = (server: Server, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });

const CONNECTIONS_MAX = 100;
const COMPLAINT_MAX = 4096;
