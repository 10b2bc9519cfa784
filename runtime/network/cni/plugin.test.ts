import { readFileSync } from 'node:fs';

import { systemClock } from '../../../lib/clock';
import { callPlugin } from './plugin';

const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');

it('begins no plugin for what cannot be written, such as an answer nested without end', async () => {
  let nested: readonly unknown[] = [];
  for (let depth = 0; depth < 200_000; depth++) nested = [nested];
  const before = children();
  // `cat` would wait for its input.
  const call = { command: 'ADD', type: 'cat', networkName: 'n', variables: {} } as const;
  const deps = { path: ['/usr/bin', '/bin'], clock: systemClock, timeoutMs: 60_000 };
  const called = callPlugin(deps, { ...call, input: { prevResult: nested } });
  await expect(called).rejects.toThrow('plugin type="cat" name="n" failed (add)');
  expect(children()).toBe(before);
});
