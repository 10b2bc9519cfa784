import type { ApiObject, Pod, Service } from '../../../api/types';
import type { Informer, InformerHandlers } from '../../../client/informer';
import { SelectedPods } from './selected-pods';
import { TriggerTimes } from './trigger-times';

const informer = <T extends ApiObject>() => {
  const all: InformerHandlers<T>[] = [];
  return {
    informer: {
      subscribe: (handlers: InformerHandlers<T>) => {
        all.push(handlers);
        return () => undefined;
      },
    } as unknown as Informer<T>,
    add: (object: T) => all.forEach((each) => each.onAdd?.(object)),
    update: (object: T, previous: T) => all.forEach((each) => each.onUpdate?.(object, previous)),
    remove: (object: T) => all.forEach((each) => each.onDelete?.(object)),
  };
};

const world = () => {
  const services = informer<Service>();
  const pods = informer<Pod>();
  const selected = new SelectedPods(services.informer, pods.informer);
  const told: string[] = [];
  selected.onChange((key) => told.push(key));
  const names = (key: string) => selected.of(key).map(({ metadata }) => metadata.name);
  return { services, pods, names, told: () => told.splice(0) };
};

const service = (name: string, selector?: Record<string, string>, spec: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { ...(selector === undefined ? {} : { selector }), ...spec },
});

const pod = (name: string, labels: Record<string, string>, ready?: string, note = ''): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'ns', uid: name, labels, annotations: { note } },
  spec: { containers: [] },
  status:
    ready === undefined
      ? {}
      : { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ready }] },
});

const BLUE = { app: 'web', colour: 'blue' };
const NOON = '2026-01-01T12:00:00Z';
const LATER = '2026-01-01T12:30:00Z';

it('knows the pods of each service, whichever came first', () => {
  const { services, pods, names } = world();
  pods.add(pod('a', BLUE));
  services.add(service('web', { app: 'web' }));
  services.add(service('blue', { app: 'web', colour: 'blue' }));
  services.add(service('all'));
  services.add(service('outside', { app: 'web' }, { type: 'ExternalName' }));
  pods.add(pod('b', { app: 'web' }));
  pods.add({ ...pod('c', BLUE), metadata: { ...pod('c', BLUE).metadata, namespace: 'other' } });
  expect(['web', 'blue', 'all', 'outside'].map((name) => names(`ns/${name}`))).toEqual([
    ['a', 'b'],
    ['a'],
    [],
    [],
  ]);
  services.update(service('web', { colour: 'blue' }), service('web', { app: 'web' }));
  expect(names('ns/web')).toEqual(['a']);
  pods.remove(pod('a', BLUE));
  services.remove(service('blue', { app: 'web', colour: 'blue' }));
  expect([names('ns/web'), names('ns/blue')]).toEqual([[], []]);
});

it('tells of what concerns a service, and of no note on a pod', () => {
  const { services, pods, told } = world();
  services.add(service('web', { app: 'web' }));
  services.add(service('blue', { colour: 'blue' }));
  pods.add(pod('a', BLUE));
  expect(told().sort()).toEqual(['ns/blue', 'ns/web']);
  pods.update(pod('a', BLUE, undefined, 'written'), pod('a', BLUE));
  expect(told()).toEqual([]);
  pods.update(pod('a', { app: 'web' }), pod('a', BLUE));
  expect(told()).toEqual(['ns/blue']);
  pods.update(pod('a', { app: 'web' }, NOON), pod('a', { app: 'web' }));
  expect(told()).toEqual(['ns/web']);
});

it('dates a change by the earliest that is new', () => {
  const times = new TriggerTimes();
  const web = service('web');
  expect(times.look('ns/web', web, [pod('a', {}, NOON)])).toBe('2026-01-01T00:00:00Z');
  expect(times.look('ns/web', web, [pod('a', {}, NOON)])).toBeUndefined();
  expect(times.look('ns/web', web, [pod('a', {}, LATER), pod('b', {}, NOON)])).toBe(NOON);
  expect(times.look('ns/web', web, [])).toBeUndefined();
  times.forget('ns/web');
  expect(times.look('ns/web', web, [])).toBe('2026-01-01T00:00:00Z');
});
