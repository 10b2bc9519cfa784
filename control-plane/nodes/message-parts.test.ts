import { JoinRequest, SessionRequest } from '../../proto/gen/dhow/agent/v1/agent';
import { refuseManyParts } from './message-parts';

const encoded = (message: NonNullable<SessionRequest['message']>): Buffer =>
  Buffer.from(SessionRequest.encode({ message }).finish());

const update = {
  namespace: 'default',
  name: 'web',
  uid: 'u',
  status: Buffer.from('{"phase":"Running"}'.repeat(1000)),
  terminated: true,
};

const JOIN = {
  token: 't',
  nodeName: 'node-1',
  certificateRequest: Buffer.alloc(500, 0xff),
  agentId: 'a',
};

it('lets pass what agents send', () => {
  const updates = Array.from({ length: 500 }, () => update);
  refuseManyParts('session', encoded({ $case: 'statuses', value: { session: 1n, updates } }));
  const events = Array.from({ length: 1000 }, () => Buffer.alloc(1000, 0xff));
  refuseManyParts('session', encoded({ $case: 'events', value: { events } }));
  refuseManyParts('session', Buffer.alloc(0));
  refuseManyParts('join', Buffer.from(JoinRequest.encode(JOIN).finish()));
});

it('refuses many parts at any depth', () => {
  const many = 'a message of more than 4096 parts';
  const updates = Array.from({ length: 5000 }, () => ({ ...update, status: Buffer.alloc(0) }));
  const statuses = encoded({ $case: 'statuses', value: { session: 1n, updates } });
  expect(() => refuseManyParts('session', statuses)).toThrow(many);
  const names = Buffer.concat(Array.from({ length: 5000 }, () => Buffer.from([0x0a, 0])));
  const head = (field: number, length: number) =>
    Buffer.from([(field << 3) | 2, (length & 0x7f) | 0x80, length >> 7]);
  const batch = Buffer.concat([head(2, names.length), names]);
  expect(() => refuseManyParts('session', Buffer.concat([head(2, batch.length), batch]))).toThrow(
    many,
  );
  expect(() => refuseManyParts('session', names)).toThrow(many);
});

it('refuses groups, and lengths beyond the end', () => {
  expect(() => refuseManyParts('session', Buffer.from([0x0b, 0x0c]))).toThrow('a group');
  expect(() => refuseManyParts('session', Buffer.from([0x12, 0x7f, 0x0a]))).toThrow();
});
