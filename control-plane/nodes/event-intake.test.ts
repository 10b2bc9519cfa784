import type { EventDraft } from '../../client/event-writer';
import { ManualClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { EventIntake } from './event-intake';

const setUp = () => {
  const drafts: EventDraft[] = [];
  const clock = new ManualClock();
  const intake = new EventIntake({ record: (draft) => void drafts.push(draft) }, clock);
  const accept = (event: unknown) => intake.accept('n1', Buffer.from(stringifyJson(event)));
  return { drafts, clock, accept };
};

const event = { involvedObject: { kind: 'Pod', name: 'web' }, reason: 'Odd', message: 'm' };

it('takes of the object what a reference has, and not without end', () => {
  const { drafts, accept } = setUp();
  const long = 'x'.repeat(10_000);
  const involvedObject = { kind: 'Pod', name: 'web', uid: long, namespace: 7, more: { a: long } };
  accept({ ...event, involvedObject });
  expect(drafts[0]?.involvedObject).toEqual({ kind: 'Pod', name: 'web', uid: 'x'.repeat(253) });
  expect(drafts[0]?.source).toEqual({ component: 'kubelet', host: 'n1' });
});

it('drops what is no event, is large, or comes too fast', async () => {
  const { drafts, clock, accept } = setUp();
  for (const odd of [
    null,
    [],
    'x',
    {},
    { ...event, involvedObject: null },
    { ...event, reason: 1 },
  ])
    accept(odd);
  accept({ ...event, message: 'x'.repeat(70_000) });
  expect(drafts).toEqual([]);
  await clock.advance(10_000);
  for (let i = 0; i < 500; i++) accept(event);
  expect(drafts).toHaveLength(100);
  await clock.advance(1000);
  for (let i = 0; i < 500; i++) accept(event);
  expect(drafts).toHaveLength(150);
});
