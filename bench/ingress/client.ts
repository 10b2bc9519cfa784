import { connect } from 'node:net';

/**
 * Prints how many requests were answered in a second, by connections that are kept, each with the next request as
 * soon as the last has its answer; and how many in all: `client.js ADDRESS PORT HOST`.
 */
const main = async (): Promise<void> => {
  const [, , address = '', port = '', host = ''] = process.argv;
  const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  let answerCount = 0;
  const sockets = Array.from({ length: CONNECTIONS }, () => {
    const socket = connect(Number(port), address, () => socket.write(request));
    let waiting = '';
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      waiting += data.toString('latin1');
      if (!isWhole(waiting)) return;
      if (!waiting.startsWith('HTTP/1.1 200')) throw new Error(waiting.slice(0, 200));
      waiting = '';
      answerCount++;
      socket.write(request);
    });
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, WARM_MS));
  const [before, startMs] = [answerCount, performance.now()];
  await new Promise((resolve) => setTimeout(resolve, MEASURE_MS));
  const perSecond = ((answerCount - before) * 1000) / (performance.now() - startMs);
  for (const socket of sockets) socket.destroy();
  process.stdout.write(JSON.stringify({ perSecond, answerCount }));
};

/** All of one answer, which is either of a length that is told or in chunks. */
const isWhole = (text: string): boolean => {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return length === undefined
    ? text.endsWith('\r\n0\r\n\r\n')
    : text.length >= end + 4 + Number(length);
};

const CONNECTIONS = 32;
const WARM_MS = 2_000;
const MEASURE_MS = 4_000;

void main();
