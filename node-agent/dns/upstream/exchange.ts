import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../../../lib/clock';
import { TCP_MAX_BYTES } from '../wire/constants';

export interface UpstreamAddress {
  readonly address: string;
  readonly port: number;
}

export interface ExchangeOptions<T> {
  readonly server: UpstreamAddress;
  readonly request: Buffer;
  /** Undefined for a message that is none of ours: then the next is waited for. */
  readonly read: (message: Buffer) => T | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Asks a server from a port of its own, which the kernel draws: with the id, what a forger has to guess. Messages
 * of other senders never reach the socket. @throws when the server cannot be reached, or does not answer in time
 */
export const exchangeByUdp = <T>(options: ExchangeOptions<T>): Promise<T> => {
  const { server, request, read, timeoutMs, clock } = options;
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
  return new Promise<T>((resolve, reject) => {
    const end = (finish: () => void) => {
      callOff();
      // Closing twice throws, and so may what comes late.
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      try {
        socket.close();
      } catch {
        // It was never open.
      }
      finish();
    };
    const fail = (error: Error) => end(() => reject(error));
    const callOff = clock.after(timeoutMs, () => fail(new Error(`${server.address}: no answer`)));
    socket.on('error', fail);
    socket.on('message', (message) => {
      const answer = read(message);
      if (answer !== undefined) end(() => resolve(answer));
    });
    socket.connect(server.port, server.address, () =>
      socket.send(request, (error) => {
        if (error !== null) fail(error);
      }),
    );
  });
};

/** Asks by a connection of its own. @throws as by UDP */
export const exchangeByTcp = <T>(options: ExchangeOptions<T>): Promise<T> => {
  const { server, request, read, timeoutMs, clock } = options;
  const socket = connect({ host: server.address, port: server.port });
  return new Promise<T>((resolve, reject) => {
    const end = (finish: () => void) => {
      callOff();
      socket.destroy();
      finish();
    };
    const fail = (why: string) => end(() => reject(new Error(`${server.address}: ${why}`)));
    const callOff = clock.after(timeoutMs, () => fail('no answer'));
    let received = Buffer.alloc(0);
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => fail('closed the connection'));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const length = received.length < 2 ? TCP_MAX_BYTES : received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const answer = read(received.subarray(2, 2 + length));
      if (answer === undefined) fail('answered something else');
      else end(() => resolve(answer));
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(request.length);
    socket.write(Buffer.concat([length, request]));
  });
};
