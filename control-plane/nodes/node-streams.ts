import { ApiError } from '../../api/errors';
import { linkedController } from '../../lib/async/linked-controller';
import type { OpenStream } from '../../proto/gen/dhow/agent/v1/agent';
import type { NodeSession } from './node-session';
import type { OpenedStream, StreamBroker } from './stream-broker';

/** Who opens streams to agents. */
export interface NodeStreams {
  has(nodeName: string): boolean;
  /** @throws ApiError */
  open(nodeName: string, kind: OpenStream['kind'], signal: AbortSignal): Promise<OpenedStream>;
}

/** To the agents that are connected to this server. */
export class LocalStreams implements NodeStreams {
  constructor(
    private readonly deps: {
      readonly sessionOf: (nodeName: string) => NodeSession | undefined;
      readonly broker: StreamBroker;
    },
  ) {}

  has(nodeName: string): boolean {
    return this.deps.sessionOf(nodeName) !== undefined;
  }

  async open(
    nodeName: string,
    kind: OpenStream['kind'],
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const session = this.deps.sessionOf(nodeName);
    if (session === undefined) throw notConnected(nodeName);
    using either = linkedController(signal, session.signal);
    const ask = (request: OpenStream) => session.openStream(request);
    try {
      return await this.deps.broker.open(nodeName, kind, ask, either.signal);
    } catch (error) {
      if (signal.aborted || error instanceof ApiError) throw error;
      throw new ApiError('ServiceUnavailable', `node "${nodeName}" left`, { cause: error });
    }
  }
}

/** To those of this server, and to the others by way of the server that has them. */
export class AllStreams implements NodeStreams {
  constructor(private readonly all: readonly NodeStreams[]) {}

  has(nodeName: string): boolean {
    return this.all.some((each) => each.has(nodeName));
  }

  async open(
    nodeName: string,
    kind: OpenStream['kind'],
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const streams = this.all.find((each) => each.has(nodeName));
    if (streams === undefined) throw notConnected(nodeName);
    return streams.open(nodeName, kind, signal);
  }
}

const notConnected = (nodeName: string): ApiError =>
  new ApiError('ServiceUnavailable', `node "${nodeName}" is not connected`);
