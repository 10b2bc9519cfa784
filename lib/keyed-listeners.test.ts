import { KeyedListeners } from './keyed-listeners';

it('tells those who listen to a key, until they do no more', () => {
  const listeners = new KeyedListeners<[number]>();
  const heard: string[] = [];
  const undo = listeners.add('a', (n) => heard.push(`first ${n}`));
  listeners.add('a', (n) => heard.push(`second ${n}`));
  listeners.add('b', (n) => heard.push(`other ${n}`));
  listeners.tell('a', 1);
  undo();
  undo();
  listeners.tell('a', 2);
  listeners.tell('nobody', 3);
  expect(heard).toEqual(['first 1', 'second 1', 'second 2']);
});

it('lets a key be listened to again after the last one left', () => {
  const listeners = new KeyedListeners();
  let count = 0;
  const undo = listeners.add('a', () => count++);
  undo();
  listeners.add('a', () => (count += 10));
  // An undo that is called late takes nobody else away.
  undo();
  listeners.tell('a');
  expect(count).toBe(10);
});
