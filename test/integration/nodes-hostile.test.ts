import { Client, type ClientDuplexStream } from '@grpc/grpc-js';
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';

import type { Node, Pod } from '../../api/types';
import { ManualClock, systemClock } from '../../lib/clock';
import { parseJson, stringifyJson } from '../../lib/json';
import { silentLog } from '../../lib/log';
import { IdentityStore, type NodeIdentity } from '../../node-agent/identity/identity-store';
import {
  ensureIdentity,
  serverCredentials,
  SERVER_NAME_OPTIONS,
} from '../../node-agent/identity/join';
import {
  AttachRequest,
  SessionRequest,
  SessionResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import { mutated, mutatedBytes, odd } from '../support/mutations';
import { eventually, podDraft, startAgent, type RunningAgent } from './support/agent-plane';
import { expectInTime, livezDuring } from './support/livez-probe';
import { startOwnServer, type OwnServer } from './support/own-server';

/*
 * A machine of the cluster has been taken over: its certificate is good, and all that it says is meant
 * to harm. The server answers with an error or passes over it; other nodes and the API see nothing.
 * The short form runs from one seed; DHOW_FUZZ_SECONDS=3600 makes it a campaign from a new one.
 */
const CAMPAIGN_SECONDS = process.env['DHOW_FUZZ_SECONDS'];
const SECONDS = Number(CAMPAIGN_SECONDS ?? 25);
const MB = 1024 * 1024;
const PODS = '/api/v1/namespaces/default/pods';

jest.setTimeout((SECONDS + 120) * 1000);

let directory: string;
let server: OwnServer;
let honest: RunningAgent;
let mallory: NodeIdentity;
let client: Client;
let agentId: string;
let connectedCount = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-hostile-'));
  server = await startOwnServer();
  const token = /--token (\S+)/.exec(server.log())?.[1] ?? '';
  const port = Number(token.split(':')[1]);
  const info = (_fields: object, text: string) => {
    if (text === 'connected to the server') connectedCount++;
  };
  const log = { ...silentLog, info };
  honest = await startAgent({ token, port }, join(directory, 'honest'), { name: 'honest', log });
  const store = new IdentityStore(join(directory, 'mallory'));
  agentId = store.agentId();
  mallory = await ensureIdentity(store, {
    ...{ host: '127.0.0.1', token, agentsPort: port, nodeName: 'mallory' },
    clock: new ManualClock(systemClock.now()),
  });
  client = connect();
  await server.ask('POST', PODS, stringifyJson(podOn('honest', 'victim')));
  await eventually(async () => (await podOf('victim')).status.phase === 'Running');
});
afterAll(async () => {
  client.close();
  await honest[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
const podOn = (nodeName: string, name: string) => podDraft(name, {}, { nodeName });

const podOf = async (name: string): Promise<Pod> =>
  parseJson((await server.ask('GET', `${PODS}/${name}`)).text) as Pod;

type RawStream = ClientDuplexStream<Buffer, Buffer>;
const raw = (bytes: Buffer): Buffer => bytes;

const connect = (): Client =>
  new Client(`127.0.0.1:${mallory.agentsPort}`, serverCredentials(mallory.caCertificate, mallory), {
    ...SERVER_NAME_OPTIONS,
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
  });

const streamOf = (method: string): RawStream => {
  const path = `/dhow.agent.v1.NodeService/${method}`;
  const stream = client.makeBidiStreamRequest(path, raw, raw);
  stream.on('error', () => undefined);
  stream.on('data', () => undefined);
  return stream;
};

/** Resolves when the server has ended the stream, or after `ms`: to whether it has. */
const endOf = async (stream: RawStream, ms: number): Promise<boolean> => {
  const stop = new AbortController();
  let hasEnded = false;
  const end = () => {
    hasEnded = true;
    stop.abort();
  };
  for (const event of ['end', 'error', 'close']) stream.once(event, end);
  await systemClock.sleep(ms, stop.signal);
  return hasEnded;
};

/** Writes as fast as the server takes it, for as long as it does, at most `ms`. */
const flood = async (stream: RawStream, message: Buffer, ms: number): Promise<void> => {
  const endMs = systemClock.monotonicMs() + ms;
  const ended = endOf(stream, ms);
  while (systemClock.monotonicMs() < endMs && stream.writable) {
    if (stream.write(message)) await new Promise((resolve) => setImmediate(resolve));
    else await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), ended]);
    if (stream.destroyed) break;
  }
  stream.cancel();
};

const node = (status: object = {}) => ({
  metadata: { name: 'mallory', labels: { a: 'b' } },
  spec: { taints: [] },
  status: {
    capacity: { cpu: '2', memory: '2Gi', pods: '110' },
    allocatable: { cpu: '2', memory: '2Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'x', message: '' }],
    addresses: [{ type: 'InternalIP', address: '192.0.2.66' }],
    ...status,
  },
});

type Message = NonNullable<SessionRequest['message']>;

const encoded = (message: Message): Buffer =>
  Buffer.from(SessionRequest.encode({ message }).finish());

const hello = (content: unknown = node(), nodeName = 'mallory'): Message => ({
  $case: 'hello',
  value: { nodeName, agentId, version: '1', node: Buffer.from(stringifyJson(content)) },
});

/** A session past its hello, with the number that the server gave it. */
const openSession = async (): Promise<{ stream: RawStream; session: bigint }> => {
  const stream = streamOf('Session');
  const answer = new Promise<bigint>((resolve, reject) => {
    stream.once('data', (bytes: Buffer) => {
      const { message } = SessionResponse.decode(bytes);
      resolve(message?.$case === 'hello' ? message.value.session : 0n);
    });
    stream.once('error', reject);
  });
  stream.write(encoded(hello()));
  return { stream, session: await answer };
};

const opensSession = async (): Promise<boolean> => {
  try {
    const { stream } = await openSession();
    stream.cancel();
    return true;
  } catch {
    return false;
  }
};

/** Nothing has come of it: the server lives, within bounds, and the other node and its pod are well. */
const expectUnharmed = async (beforeMb: number): Promise<void> => {
  expect(server.exit()).toBeUndefined();
  const reply = await server.ask('GET', '/readyz');
  expect(reply.status).toBe(200);
  expect(connectedCount).toBe(1);
  const { text } = await server.ask('GET', '/api/v1/nodes/honest');
  const { status } = parseJson(text) as Node;
  expect(status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  expect((await podOf('victim')).status).toMatchObject({ phase: 'Running' });
  expect(server.residentMb() - beforeMb).toBeLessThan(250);
};

const attack = async (work: () => Promise<unknown>): Promise<void> => {
  const beforeMb = server.residentMb();
  expectInTime(await livezDuring(server, work));
  await expectUnharmed(beforeMb);
};

const repeated = (unit: Buffer, bytes: number): Buffer =>
  Buffer.concat(Array.from({ length: Math.floor(bytes / unit.length) }, () => unit));

/** A message of one field of that number, whose content is given. */
const field = (number: number, content: Buffer): Buffer => {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
};

it('takes no batch of millions of empty statuses or events', async () => {
  await attack(async () => {
    for (const number of [2, 4]) {
      const { stream } = await openSession();
      const inner = field(number === 2 ? 2 : 1, Buffer.alloc(0));
      stream.write(field(number, repeated(inner, 15 * MB)));
      expect(await endOf(stream, 20_000)).toBe(true);
    }
  });
});

it('takes no message of millions of parts', async () => {
  await attack(async () => {
    const { stream } = await openSession();
    stream.write(
      repeated(encoded({ $case: 'heartbeat', value: { session: 1n, clock: undefined } }), 15 * MB),
    );
    expect(await endOf(stream, 20_000)).toBe(true);
  });
});

it('answers others while one floods it with small messages', async () => {
  await attack(async () => {
    const { stream, session } = await openSession();
    await flood(
      stream,
      encoded({ $case: 'heartbeat', value: { session, clock: undefined } }),
      5_000,
    );
  });
});

it('bounds what events make it remember', async () => {
  await attack(async () => {
    const { stream } = await openSession();
    for (let i = 0; i < 400; i++) {
      const involvedObject = {
        ...{ kind: 'Pod', namespace: 'default', name: 'victim', uid: `${i}${'u'.repeat(20_000)}` },
        fieldPath: 'f'.repeat(20_000),
        nested: { more: 'n'.repeat(20_000) },
      };
      const event = { involvedObject, reason: 'Odd', message: `${i}`, type: 'Normal' };
      const events = [Buffer.from(stringifyJson(event))];
      stream.write(encoded({ $case: 'events', value: { events } }));
      await systemClock.sleep(10);
    }
    stream.cancel();
  });
  const { text } = await server.ask('GET', '/api/v1/namespaces/default/events');
  expect(text).toContain('"reason":"Odd"');
  expect(text).not.toContain('u'.repeat(1000));
  expect(text).not.toContain('f'.repeat(2000));
});

it('leaves no stream open that says nothing', async () => {
  await attack(async () => {
    const streams = Array.from({ length: 300 }, (_none, i) =>
      streamOf(i % 2 === 0 ? 'Attach' : 'Session'),
    );
    const ended = await Promise.all(streams.map((stream) => endOf(stream, 30_000)));
    expect(ended.filter((has) => !has)).toEqual([]);
  });
});

it('gives one node no more than its share of connections', async () => {
  const { certificate, key, caCertificate, agentsPort } = mallory;
  const options = {
    ...{ host: '127.0.0.1', port: agentsPort, servername: 'kubernetes', ALPNProtocols: ['h2'] },
    ...{ cert: certificate, key, ca: caCertificate, checkServerIdentity: () => undefined },
  };
  const sockets: TLSSocket[] = [];
  let closedCount = 0;
  await attack(async () => {
    for (let i = 0; i < 150; i++) {
      const socket = connectTls(options);
      socket.on('error', () => undefined);
      socket.once('close', () => closedCount++);
      socket.resume();
      sockets.push(socket);
    }
    await eventually(async () => closedCount >= 100);
  });
  for (const socket of sockets) socket.destroy();
  // There is room for it again.
  await eventually(opensSession);
});

it('signs no certificates without end', async () => {
  await attack(async () => {
    const codes = await Promise.all(
      Array.from(
        { length: 300 },
        () =>
          new Promise<number>((resolve) =>
            client.makeUnaryRequest(
              '/dhow.agent.v1.NodeService/Renew',
              raw,
              raw,
              Buffer.alloc(0),
              (error) => resolve(error?.code ?? 0),
            ),
          ),
      ),
    );
    expect(codes).toContain(8);
    expect(new Set(codes)).toEqual(new Set([3, 8]));
  });
});

it('takes what a node says in a log for no status of the API', async () => {
  await server.ask('POST', PODS, stringifyJson(podOn('mallory', 'own')));
  const { stream } = await openSession();
  stream.on('data', (bytes: Buffer) => {
    const { message } = SessionResponse.decode(bytes);
    if (message?.$case !== 'openStream') return;
    const attach = streamOf('Attach');
    for (const part of [
      { $case: 'streamId', value: message.value.streamId },
      { $case: 'error', value: { reason: 'toString', message: 'odd' } },
    ] as const)
      attach.write(Buffer.from(AttachRequest.encode({ message: part }).finish()));
  });
  const reply = await server.ask('GET', `${PODS}/own/log`);
  expect([reply.status, reply.text]).toEqual([500, expect.stringContaining('odd')]);
  stream.cancel();
});

describe('the usage that it reports', () => {
  const SUMMARY = '/api/v1/nodes/mallory/proxy/stats/summary';
  const METRICS = '/apis/metrics.k8s.io/v1beta1/nodes';

  /** Answers each question about usage with these. */
  const reporting = async (
    ...parts: readonly AttachRequest['message'][]
  ): Promise<{ readonly cancel: () => void }> => {
    const { stream } = await openSession();
    stream.on('data', (bytes: Buffer) => {
      const { message } = SessionResponse.decode(bytes);
      if (message?.$case !== 'openStream') return;
      const attach = streamOf('Attach');
      const first = { $case: 'streamId', value: message.value.streamId } as const;
      for (const part of [first, ...parts])
        attach.write(Buffer.from(AttachRequest.encode({ message: part }).finish()));
      attach.end();
    });
    return stream;
  };
  const READING = { $case: 'usage', value: { clockId: 'a', monotonicMs: 1 } } as const;

  it('is not taken without end', async () => {
    const piece = { $case: 'stdout', value: Buffer.alloc(MB, ' ') } as const;
    const stream = await reporting(READING, piece, piece, piece, piece, piece);
    const reply = await server.ask('GET', SUMMARY);
    expect([reply.status, reply.text]).toEqual([
      500,
      expect.stringContaining('reports more usage than can be taken'),
    ]);
    stream.cancel();
  });

  it('is in pages of metrics not taken without end either, and an empty one is none', async () => {
    const page = '/api/v1/nodes/mallory/proxy/metrics/cadvisor';
    const piece = { $case: 'stdout', value: Buffer.alloc(MB, 'x') } as const;
    const endless = await reporting(...Array.from({ length: 9 }, () => piece));
    const tooMuch = await server.ask('GET', page);
    expect([tooMuch.status, tooMuch.text]).toEqual([
      500,
      expect.stringContaining('reports more metrics than can be taken'),
    ]);
    endless.cancel();
    const empty = await reporting();
    expect((await server.ask('GET', page)).status).toBe(503);
    empty.cancel();
  });

  it('hides no other node, whatever it says', async () => {
    const cpu = { usageCoreNanoSeconds: -1 };
    const nonsense = {
      node: { cpu, memory: { workingSetBytes: '\u0000' } },
      pods: { length: 9e9 },
    };
    const value = Buffer.from(stringifyJson(nonsense));
    const stream = await reporting(READING, { $case: 'stdout', value });
    const { text } = await server.ask('GET', METRICS);
    const { items } = parseJson(text) as { readonly items: readonly Node[] };
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['honest']);
    stream.cancel();
  });
});

describe('whatever it sends', () => {
  const uid = fc.constantFrom('', 'x', 'u'.repeat(5000));
  const number = fc.constantFrom(0n, 1n, 2n ** 63n, 2n ** 64n - 1n);
  const reading = fc.record({
    probe: number,
    heldMs: fc.double(),
    wallMs: fc.double(),
  });
  const json = (seed: unknown) =>
    fc.oneof(
      mutated(seed).map((value) => Buffer.from(stringifyJson(value))),
      mutatedBytes(Buffer.from(stringifyJson(seed))),
      odd.map((value) => Buffer.from(stringifyJson(value))),
      fc.constant(Buffer.from('['.repeat(50_000))),
      fc.constant(Buffer.from(`{"conditions":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)),
    );
  const podStatus = {
    phase: 'Failed',
    podIP: '10.42.0.9',
    conditions: [{ type: 'Ready', status: 'False' }],
    containerStatuses: [{ name: 'web', restartCount: 1, state: { waiting: { reason: 'x' } } }],
  };
  const event = {
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'victim' },
    reason: 'r',
    message: 'm',
  };
  const update = (victimUid: string) =>
    fc.record({
      namespace: fc.constantFrom('default', 'kube-system', '', '../x', 'n'.repeat(300)),
      name: fc.constantFrom('victim', 'own', '', '__proto__', 'p'.repeat(5000)),
      uid: fc.oneof(uid, fc.constant(victimUid)),
      status: json(podStatus),
      terminated: fc.boolean(),
    });
  const messageOf = (session: bigint, victimUid: string): fc.Arbitrary<Message> => {
    const either = fc.oneof(fc.constant(session), fc.constant(session), number);
    return fc.oneof(
      fc.record({
        $case: fc.constant('statuses' as const),
        value: fc.record({
          session: either,
          updates: fc.array(update(victimUid), { maxLength: 4 }),
        }),
      }),
      fc.record({
        $case: fc.constant('nodeStatus' as const),
        value: fc.record({
          session: either,
          status: json(node().status),
          imageLayers: fc.constantFrom('', 'x', 'l'.repeat(100_000)),
          mtu: fc.constantFrom(0, 68, 1400, 2 ** 32 - 1),
          ingressPorts: fc.constantFrom('', 'none', '80,443', 'p'.repeat(100_000)),
          wireguard: fc.constantFrom('', 'none', `${'A'.repeat(43)}=:51820`, 'k'.repeat(100_000)),
          peerWays: fc.constantFrom('', 'direct', 'none: \u001b[2J', 'w'.repeat(100_000)),
        }),
      }),
      fc.record({
        $case: fc.constant('events' as const),
        value: fc.record({ events: fc.array(json(event), { maxLength: 4 }) }),
      }),
      fc.record({
        $case: fc.constant('heartbeat' as const),
        value: fc.record({ session: either, clock: fc.option(reading, { nil: undefined }) }),
      }),
      json(node()).map((bytes) => ({
        ...hello(),
        value: { nodeName: 'honest', agentId: 'x', version: '', node: bytes },
      })) as fc.Arbitrary<Message>,
    );
  };
  const bytesOf = (message: fc.Arbitrary<Message>) =>
    fc.oneof(
      message.map(encoded),
      message.map(encoded),
      message.chain((one) => mutatedBytes(encoded(one))),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    );
  const firstOf = fc.oneof(
    fc.constant(encoded(hello())),
    json(node()).map((bytes) =>
      encoded({
        $case: 'hello',
        value: { nodeName: 'mallory', agentId, version: 'v', node: bytes },
      }),
    ),
    fc.constantFrom(...['honest', '', '../x', 'MALLORY'].map((name) => encoded(hello({}, name)))),
    mutatedBytes(encoded(hello())),
  );

  it('is answered or passed over, and harms nobody else', async () => {
    const victimUid = (await podOf('victim')).metadata.uid ?? '';
    const property = fc.asyncProperty(
      fc.oneof(fc.constant(undefined), firstOf),
      fc.nat(),
      async (first, seed) => {
        // As another agent of that name may still be there, which an earlier message made up.
        const opened = first === undefined && (await openSession().catch(() => undefined));
        const { stream, session } = opened || { stream: streamOf('Session'), session: 1n };
        if (first !== undefined) stream.write(first);
        const messages = fc.sample(bytesOf(messageOf(session, victimUid)), { seed, numRuns: 8 });
        for (const message of messages) if (stream.writable) stream.write(message);
        const attach = streamOf('Attach');
        for (const message of messages.slice(0, 2)) attach.write(message);
        for (const method of ['NodeService/Renew', 'BootstrapService/Join'])
          client.makeUnaryRequest(
            `/dhow.agent.v1.${method}`,
            raw,
            raw,
            messages[0] ?? Buffer.alloc(0),
            () => undefined,
          );
        await endOf(stream, 60);
        stream.cancel();
        attach.cancel();
        expect(server.exit()).toBeUndefined();
      },
    );
    await attack(async () => {
      await fc.assert(property, {
        ...(CAMPAIGN_SECONDS === undefined ? { seed: 1 } : {}),
        interruptAfterTimeLimit: SECONDS * 1000,
        numRuns: Infinity,
        endOnFailure: true,
      });
    });
    await eventually(opensSession);
  });
});
