import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { TCP_MAX_BYTES } from '../wire/constants';
import type { NameServer } from './name-server';

export interface Listener {
  /** What came before is still answered. */
  close(): void;
}

/**
 * Answers at an address by UDP. Another process may come to listen there too, and then has all that comes from
 * then on: so one resolver follows another without a gap. @throws when the address cannot be listened at
 */
export const listenByUdp = async (
  address: string,
  port: number,
  names: Pick<NameServer, 'answer'>,
): Promise<Listener & { readonly port: number }> => {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', reuseAddr: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  // A client that is gone must not end the server.
  socket.on('error', () => undefined);
  try {
    socket.setRecvBufferSize(RECEIVE_BYTES);
  } catch {
    // Then the kernel's default it is.
  }
  const send = (answer: Buffer, toPort: number, to: string) => {
    // No answer has room in a message: then a socket's error would be all that came of it.
    if (answer.length <= TCP_MAX_BYTES && toPort !== 0) socket.send(answer, toPort, to, ignore);
  };
  let pendingCount = 0;
  let isClosed = false;
  socket.on('message', (message, { address: from, port: fromPort }) => {
    const answer = names.answer(message);
    if (answer === undefined) return;
    if (!(answer instanceof Promise)) {
      send(answer, fromPort, from);
      return;
    }
    pendingCount++;
    void answer
      .then((later) => send(later, fromPort, from), ignore)
      .finally(() => {
        pendingCount--;
        if (isClosed && pendingCount === 0) socket.close();
      });
  });
  return {
    port: socket.address().port,
    close: () => {
      if (isClosed) return;
      isClosed = true;
      if (pendingCount === 0) socket.close();
    },
  };
};

const ignore = (): void => undefined;

/** Some thousand questions, that come while the process does something else. */
const RECEIVE_BYTES = 1024 * 1024;
