import type { Duplex } from 'node:stream';
import { onAbort } from '../../lib/async/on-abort';
import type { AttachRequest, AttachResponse } from '../../proto/gen/dhow/agent/v1/agent';
import type { dial } from '../../runtime/network';
import type { MessageStream } from '../session/transport';
import { pieces } from './pieces';

export type Dial = (...args: Parameters<typeof dial>) => Promise<Duplex>;

/**
 * Carries bytes between a connection and the server's stream until both directions have ended, or
 * either has broken. Each direction waits for its reader.
 */
export const carryPort = async (
  stream: MessageStream<AttachRequest, AttachResponse>,
  socket: Duplex,
  signal: AbortSignal,
): Promise<void> => {
  const stop = () => socket.destroy();
  onAbort(signal, stop);
  socket.on('error', () => undefined);
  try {
    await stream.write({ message: { $case: 'connected', value: {} } });
    await Promise.all([sendOutput(stream, socket), takeInput(stream, socket)]);
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
};

const sendOutput = async (
  stream: MessageStream<AttachRequest, AttachResponse>,
  socket: Duplex,
): Promise<void> => {
  // The other direction may go on.
  const chunks = socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of chunks)
    for (const piece of pieces(chunk))
      await stream.write({ message: { $case: 'stdout', value: piece } });
  stream.end();
};

const takeInput = async (
  stream: MessageStream<AttachRequest, AttachResponse>,
  socket: Duplex,
): Promise<void> => {
  for (
    let next = await stream.messages.next();
    next.done !== true;
    next = await stream.messages.next()
  ) {
    const { message } = next.value;
    if (message?.$case === 'stdin') await written(socket, message.value);
    else if (message?.$case === 'stdinEnd') socket.end();
  }
  // The server has let go of the stream.
  socket.destroy();
};

/** Resolves when the connection takes more, or has ended. */
const written = (socket: Duplex, data: Uint8Array): Promise<void> =>
  // eslint-disable-next-line no-restricted-syntax -- the end of the connection ends it, and the server can end that
  new Promise((resolve) => {
    if (socket.destroyed || socket.writableEnded) resolve();
    else socket.write(data, () => resolve());
  });
