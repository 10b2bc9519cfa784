import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

import { queryFor, readAnswer, type ReadAnswer } from '../../../node-agent/dns/testing';

export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

/** One question by UDP from a socket of its own. Undefined without an answer within `timeoutMs`. */
export const askByUdp = async (
  { address, port }: DnsServer,
  message: Buffer,
  timeoutMs = 2_000,
): Promise<Buffer | undefined> => {
  const socket = createSocket('udp4');
  try {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), timeoutMs);
      socket.on('error', () => undefined);
      socket.once('message', (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      socket.connect(port, address, () => socket.send(message));
    });
  } finally {
    socket.close();
  }
};

export const ask = async (
  server: DnsServer,
  name: string,
  type = 'A',
): Promise<ReadAnswer | undefined> => {
  const answer = await askByUdp(server, queryFor(name, type));
  return answer === undefined ? undefined : readAnswer(answer);
};

/** All questions at once on one connection; the answers in the order in which they came. */
export const askByTcp = (
  { address, port }: DnsServer,
  messages: readonly Buffer[],
): Promise<Buffer[]> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const answers: Buffer[] = [];
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => resolve(answers));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        answers.push(received.subarray(2, end));
        received = received.subarray(end);
      }
      if (answers.length === messages.length) socket.end();
    });
    for (const message of messages) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    }
  });
