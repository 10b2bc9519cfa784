import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import type { SessionRequest, SessionResponse } from '../../proto/gen/dhow/agent/v1/agent';
import { EventOutbox } from '../outbox/event-outbox';
import { StatusOutbox } from '../outbox/status-outbox';
import { SessionClient } from './session-client';
import type { MessageStream, Transport } from './transport';

const INTERVAL_MS = 10_000;

const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** A session over a stream that has room for the next message only once `makeRoom` is called. */
const setUp = () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const written: string[] = [];
  const rooms: (() => void)[] = [];
  const hello: SessionResponse = {
    message: {
      $case: 'hello',
      value: {
        ...{ session: 1n, podCidrs: ['10.42.0.0/24'], clusterCidrs: ['10.42.0.0/16'] },
        ...{ heartbeatIntervalMs: INTERVAL_MS, acknowledgesHeartbeats: false, servers: [] },
      },
    },
  };
  const ended = new Promise<{ done: true; value: undefined }>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve({ done: true, value: undefined }));
  });
  let isFirst = true;
  const stream: MessageStream<SessionRequest, SessionResponse> = {
    messages: {
      next: () => {
        if (!isFirst) return ended;
        isFirst = false;
        return Promise.resolve({ done: false, value: hello });
      },
    },
    write: ({ message }) => {
      written.push(message?.$case ?? '');
      if (message?.$case === 'hello') return Promise.resolve();
      return new Promise((resolve) => rooms.push(resolve));
    },
    end: () => undefined,
    cancel: () => undefined,
  };
  let staticsChanged: () => void = () => undefined;
  let isChanged = false;
  const statics = {
    version: 0,
    toMirror: () => [],
    onChanged: (listener: () => void) => (staticsChanged = listener),
  };
  const client = new SessionClient({
    transport: { openSession: () => stream } as unknown as Transport,
    hello: () => Promise.resolve({ nodeName: 'n', agentId: 'a', version: '1', node: Buffer.of() }),
    joinAgain: () => Promise.resolve(),
    handlers: {
      onHello: () => undefined,
      onSnapshot: () => undefined,
      onChanges: () => undefined,
      onOpenStream: () => undefined,
    },
    statuses: new StatusOutbox(clock),
    events: new EventOutbox(clock),
    changedNodeReport: () => {
      const report = {
        status: Buffer.of(),
        imageLayers: '',
        mtu: 0,
        ingressPorts: '',
        wireguard: '',
        peerWays: '',
      };
      return Promise.resolve(isChanged ? report : undefined);
    },
    folders: { onRemoved: () => undefined, takeRemoved: () => [] },
    grower: { onGrown: () => undefined, takeGrown: () => [] },
    plugins: { version: 0, toReport: () => undefined, onChanged: () => undefined },
    statics,
    clock,
    random: seededRandom(1),
    log: silentLog,
  });
  const running = client.run(stop.signal);
  return {
    clock,
    client,
    written,
    changeStatics: () => {
      statics.version++;
      staticsChanged();
    },
    changeNode: () => (isChanged = true),
    makeRoom: async () => {
      for (const resolve of rooms.splice(0)) resolve();
      await settled();
    },
    stop: async () => {
      stop.abort();
      for (const resolve of rooms.splice(0)) resolve();
      await running;
    },
  };
};

it('tells of static pods that change while it is writing', async () => {
  const session = setUp();
  try {
    await settled();
    expect(session.written).toEqual(['hello', 'staticPods']);
    session.changeStatics();
    await session.makeRoom();
    expect(session.written).toEqual(['hello', 'staticPods', 'staticPods']);
  } finally {
    await session.stop();
  }
});

it('tells at once of a node that changes while a heartbeat is being written', async () => {
  const session = setUp();
  try {
    await settled();
    await session.makeRoom();
    session.client.nudge();
    await settled();
    expect(session.written).toEqual(['hello', 'staticPods', 'heartbeat']);
    session.client.nudge();
    await session.makeRoom();
    session.changeNode();
    await session.makeRoom();
    expect(session.written.slice(3)).toEqual(['heartbeat', 'nodeStatus']);
  } finally {
    await session.stop();
  }
});
