import { getEventListeners } from 'node:events';
import { linkedController } from './linked-controller';

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('linkedController', () => {
  it('aborts with the first of its parents, for its reason', () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const linked = linkedController(first.signal, second.signal);
    expect(linked.signal.aborted).toBe(false);
    second.abort('enough');
    expect(linked.signal.reason).toBe('enough');
    expect(listenersOf(first.signal)).toBe(0);
  });

  it('is aborted from the start when a parent is', () => {
    const parent = new AbortController();
    parent.abort('before');
    const other = new AbortController();
    expect(linkedController(other.signal, parent.signal).signal.reason).toBe('before');
    expect(listenersOf(other.signal)).toBe(0);
  });

  it('leaves nothing in its parents once it is aborted or disposed of', () => {
    const parent = new AbortController();
    linkedController(parent.signal).abort();
    {
      using linked = linkedController(parent.signal);
      expect(listenersOf(parent.signal)).toBe(1);
      expect(linked.signal.aborted).toBe(false);
    }
    expect(listenersOf(parent.signal)).toBe(0);
  });

  it('does not abort its parents', () => {
    const parent = new AbortController();
    linkedController(parent.signal).abort();
    expect(parent.signal.aborted).toBe(false);
  });
});
