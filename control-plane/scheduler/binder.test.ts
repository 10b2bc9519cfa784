import { ApiError } from '../../api/errors';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { Binder } from './binder';
import { FakeApi, testPod } from './testing';

const SIGNAL = new AbortController().signal;
const QUICK_CLOCK = { ...systemClock, sleep: async () => undefined };

const setUp = () => {
  const api = new FakeApi();
  const pod = api.putPod(testPod('web'));
  const random = { next: () => 0.5 };
  const binder = new Binder({ client: api, clock: QUICK_CLOCK, random, log: silentLog });
  return { api, pod, binder };
};

describe('Binder', () => {
  it('reports a refusal as one', async () => {
    const { api, pod, binder } = setUp();
    api.failNextBind = { error: new ApiError('Invalid', 'bad node'), isApplied: false };
    expect(await binder.bind(pod, 'n1', SIGNAL)).toEqual({ kind: 'refused', message: 'bad node' });
  });

  it('tries again when the answer is lost and nothing happened', async () => {
    const { api, pod, binder } = setUp();
    api.failNextBind = { error: new Error('socket hang up'), isApplied: false };
    expect(await binder.bind(pod, 'n1', SIGNAL)).toEqual({ kind: 'bound' });
    expect(api.bindCount).toBe(1);
  });

  it('takes a binding whose answer is lost for done when the pod says so', async () => {
    const { api, pod, binder } = setUp();
    api.failNextBind = { error: new ApiError('InternalError', 'x'), isApplied: true };
    expect(await binder.bind(pod, 'n1', SIGNAL)).toEqual({ kind: 'bound' });
    expect(api.bindCount).toBe(1);
  });

  it('says where the pod is when somebody else bound it', async () => {
    const { api, pod, binder } = setUp();
    api.putPod(testPod('web', { nodeName: 'n2' }));
    expect(await binder.bind(pod, 'n1', SIGNAL)).toMatchObject({
      kind: 'bound-elsewhere',
      pod: { spec: { nodeName: 'n2' } },
    });
  });

  it('sees that the pod was replaced by another of its name', async () => {
    const { api, pod, binder } = setUp();
    api.putPod(testPod('web', { uid: 'another' }));
    expect(await binder.bind(pod, 'n1', SIGNAL)).toEqual({ kind: 'gone' });
  });

  it('gives up after a few tries that all did nothing', async () => {
    const { api, pod, binder } = setUp();
    let tries = 0;
    api.bind = async () => {
      tries++;
      throw new ApiError('ServiceUnavailable', 'down');
    };
    expect(await binder.bind(pod, 'n1', SIGNAL)).toEqual({ kind: 'refused', message: 'down' });
    expect(tries).toBe(5);
  });

  it('keeps asking what happened for as long as nobody answers', async () => {
    const { api, pod, binder } = setUp();
    api.failNextBind = { error: new ApiError('Timeout', 'x'), isApplied: true };
    const get = api.get.bind(api);
    let silent = 20;
    api.get = async (resource, name) => {
      if (silent-- > 0 && api.bindCount > 0) throw new ApiError('Timeout', 'x');
      return get(resource, name);
    };
    expect(await binder.bind(pod, 'n1', SIGNAL)).toEqual({ kind: 'bound' });
    expect(silent).toBeLessThan(0);
  });

  it('stops without a verdict when told to', async () => {
    const { api, pod, binder } = setUp();
    const abort = new AbortController();
    api.bind = async () => {
      abort.abort();
      throw new Error('aborted');
    };
    expect(await binder.bind(pod, 'n1', abort.signal)).toEqual({ kind: 'stopped' });
  });
});
