import { createSocket } from 'node:dgram';
import { encode } from 'dns-packet';
import { hostsOf } from './hosts';

/** Prints how many answers came in a second, of as many questions as may be under way: `client.js ADDRESS PORT`. */
const main = async (): Promise<void> => {
  const [, , address = '', port = ''] = process.argv;
  const questions = hostsOf().map(({ name }, id) =>
    encode({ ...{ type: 'query', id, flags: 0x0100 }, questions: [{ name, type: 'A' }] }),
  );
  let answerCount = 0;
  let next = 0;
  const sockets = Array.from({ length: SOCKETS }, () => {
    const socket = createSocket('udp4');
    const ask = () => socket.send(questions[next++ % questions.length] ?? '');
    socket.on('message', () => {
      answerCount++;
      ask();
    });
    // The server may still be starting.
    socket.on('error', () => undefined);
    // A lost one would lessen those that are under way for good.
    const again = setInterval(() => ask(), LOST_MS);
    socket.connect(Number(port), address, () => {
      for (let i = 0; i < OUTSTANDING; i++) ask();
    });
    return { close: () => (clearInterval(again), socket.close()) };
  });
  await new Promise((resolve) => setTimeout(resolve, WARM_MS));
  const [before, startMs] = [answerCount, performance.now()];
  await new Promise((resolve) => setTimeout(resolve, MEASURE_MS));
  const perSecond = ((answerCount - before) * 1000) / (performance.now() - startMs);
  for (const { close } of sockets) close();
  process.stdout.write(JSON.stringify({ perSecond, answerCount }));
};

const SOCKETS = 8;
const OUTSTANDING = 8;
const LOST_MS = 200;
const WARM_MS = 3_000;
const MEASURE_MS = 4_000;

void main();
