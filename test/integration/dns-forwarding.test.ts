import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { decode, encode, RECURSION_AVAILABLE, TRUNCATED_RESPONSE, type Answer } from 'dns-packet';

import { systemClock } from '../../lib/clock';
import { DnsCounters } from '../../node-agent/dns/serving/counters';
import { writeRelay } from '../../node-agent/dns/serving/relay';
import { queryFor, readAnswer } from '../../node-agent/dns/testing';
import type { UpstreamAddress } from '../../node-agent/dns/upstream/exchange';
import { Forwarder, type ForwarderLimits } from '../../node-agent/dns/upstream/forwarder';
import { parseQuery, type Query } from '../../node-agent/dns/wire/query';

const ADDRESS = '127.53.0.20';
/** What an upstream answers with; nothing: it is silent. */
type Respond = (query: Buffer, isTcp: boolean) => Buffer | undefined;

let closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing) close();
  closing = [];
});

const upstream = async (respond: Respond) => {
  const seen: { readonly id: number; readonly port: number }[] = [];
  const udp: Socket = createSocket('udp4');
  udp.on('message', (query, { port, address }) => {
    seen.push({ id: query.readUInt16BE(0), port });
    const answer = respond(query, false);
    if (answer !== undefined) udp.send(answer, port, address);
  });
  udp.bind(0, ADDRESS);
  await once(udp, 'listening');
  const { port } = udp.address();
  const tcp: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (query) => {
      const answer = respond(query.subarray(2), true);
      if (answer === undefined) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.end(Buffer.concat([length, answer]));
    });
  });
  tcp.listen(port, ADDRESS);
  await once(tcp, 'listening');
  const close = () => {
    udp.close();
    tcp.close();
  };
  closing.push(close);
  const stop = () => {
    close();
    closing = closing.filter((other) => other !== close);
  };
  return { server: { address: ADDRESS, port }, seen, stop };
};

const reply = (query: Buffer, answers: readonly Answer[], flags = 0): Buffer => {
  const { id, questions } = decode(query);
  return encode({
    ...{ type: 'response', id: id ?? 0, flags: RECURSION_AVAILABLE | flags },
    ...{ questions: questions ?? [], answers: [...answers] },
  });
};

const addressOf = (query: Buffer, address = '192.0.2.1', ttl = 60): Answer => ({
  ...{ name: decode(query).questions?.[0]?.name ?? '', type: 'A', class: 'IN', ttl },
  data: address,
});

const forwarderTo = (
  servers: readonly UpstreamAddress[],
  limits: Partial<ForwarderLimits> = {},
) => {
  const counters = new DnsCounters();
  const forwarder = new Forwarder({
    servers: () => servers,
    count: (what) => counters.forwarded(what),
    clock: systemClock,
    limits: { tryMs: 300, ...limits },
  });
  const ask = async (name: string) => {
    const query = parseQuery(queryFor(name, 'A')) as Query;
    const asked = { ...query, wantsDnssec: false, isCheckingDisabled: false };
    const cached = await forwarder.ask(asked);
    return cached === undefined ? undefined : readAnswer(writeRelay(query, cached, 512));
  };
  return { ask, counters };
};

it('asks with another id and from another port each time, and keeps what it is told', async () => {
  const { server, seen } = await upstream((query) => reply(query, [addressOf(query)]));
  const { ask } = forwarderTo([server]);
  const names = Array.from({ length: 16 }, (_none, i) => `n${i}.example.com`);
  for (const name of [...names, ...names])
    expect((await ask(name))?.answers).toEqual(['A 192.0.2.1']);
  expect(seen).toHaveLength(names.length);
  expect(new Set(seen.map(({ id }) => id)).size).toBeGreaterThan(8);
  expect(new Set(seen.map(({ port }) => port)).size).toBeGreaterThan(8);
});

it('asks once for what many ask for at the same time', async () => {
  const { server, seen } = await upstream((query) => reply(query, [addressOf(query)]));
  const { ask } = forwarderTo([server]);
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask('www.example.com')));
  expect(new Set(answers.map((each) => each?.answers.join()))).toEqual(new Set(['A 192.0.2.1']));
  expect(seen).toHaveLength(1);
});

it('passes over answers that are not to its question, and takes the one that is', async () => {
  const { server } = await upstream((query) => {
    const forged = reply(query, [addressOf(query, '203.0.113.66')]);
    forged.writeUInt16BE((forged.readUInt16BE(0) + 1) & 0xffff, 0);
    return forged;
  });
  const { ask, counters } = forwarderTo([server]);
  expect(await ask('www.example.com')).toBeUndefined();
  expect(counters.counts.outside).toMatchObject({ forwarded: 1, failed: 1 });
});

it('asks the next server when one is silent, is not there, or fails', async () => {
  const silent = await upstream(() => undefined);
  const failing = await upstream((query) => reply(query, [], 2));
  const good = await upstream((query) => reply(query, [addressOf(query)]));
  const absent = { address: ADDRESS, port: 1 };
  for (const first of [silent.server, failing.server, absent])
    expect((await forwarderTo([first, good.server]).ask('www.example.com'))?.answers).toEqual([
      'A 192.0.2.1',
    ]);
});

it('asks again by TCP for what UDP has no room for', async () => {
  const { server } = await upstream((query, isTcp) =>
    isTcp ? reply(query, [addressOf(query)]) : reply(query, [], TRUNCATED_RESPONSE),
  );
  const answer = await forwarderTo([server]).ask('www.example.com');
  expect(answer).toMatchObject({ answers: ['A 192.0.2.1'], isTruncated: false });
});

it('tells what it knew when nobody answers any more, and never waits for those known to be down', async () => {
  const { server, stop } = await upstream((query) => reply(query, [addressOf(query)]));
  const { ask, counters } = forwarderTo([server], { positiveMaxMs: 1, failuresMax: 1 });
  expect((await ask('www.example.com'))?.answers).toEqual(['A 192.0.2.1']);
  stop();
  await systemClock.sleep(5);
  for (let i = 0; i < 20; i++)
    expect(await ask('www.example.com')).toMatchObject({ answers: ['A 192.0.2.1'], ttls: [30] });
  expect(await ask('other.example.com')).toBeUndefined();
  expect(counters.counts.outside).toMatchObject({ forwarded: 2, stale: 20, refused: 1 });
});

it('says at once that there is nobody to ask', async () => {
  const { ask, counters } = forwarderTo([]);
  expect(await ask('www.example.com')).toBeUndefined();
  expect(counters.counts.outside).toEqual({ miss: 1, refused: 1 });
});

it('has so many questions on their way at most', async () => {
  const { server, seen } = await upstream(() => undefined);
  const { ask, counters } = forwarderTo([server], { inFlight: 4 });
  await Promise.all(Array.from({ length: 20 }, (_none, i) => ask(`n${i}.example.com`)));
  expect(seen).toHaveLength(4);
  expect(counters.counts.outside).toMatchObject({ refused: 16 });
});
