import type {
  ApiObject,
  ConfigMap,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
} from '../../api/types';
import { keyOf } from '../../api/types';
import type { ObjectView } from './deps';
import { PodIndex } from './pod-index';

/** An informer whose changes the test makes. */
const view = <T extends ApiObject>() => {
  const objects = new Map<string, T>();
  let handlers: Parameters<ObjectView<T>['subscribe']>[0] = {};
  const informer = {
    subscribe: (given: typeof handlers) => {
      handlers = given;
      return () => (handlers = {});
    },
  };
  return {
    informer: informer as unknown as ObjectView<T>,
    put: (object: T) => {
      const before = objects.get(keyOf(object));
      objects.set(keyOf(object), object);
      if (before === undefined) handlers.onAdd?.(object);
      else handlers.onUpdate?.(object, before);
    },
    remove: (object: T) => {
      objects.delete(keyOf(object));
      handlers.onDelete?.(object);
    },
  };
};

const setUp = () => {
  const [pods, secrets, configMaps] = [view<Pod>(), view<Secret>(), view<ConfigMap>()];
  const runtimeClasses = view<RuntimeClass>();
  const index = new PodIndex({
    pods: pods.informer,
    secrets: secrets.informer,
    configMaps: configMaps.informer,
    claims: view<PersistentVolumeClaim>().informer,
    runtimeClasses: runtimeClasses.informer,
  });
  const heard: string[] = [];
  for (const node of ['n1', 'n2'])
    index.onChange(node, (change) => void heard.push(`${node} ${change}`));
  return { pods, secrets, configMaps, runtimeClasses, index, hear: () => heard.splice(0) };
};

const podOn = (nodeName: string | undefined, name: string, ...maps: readonly string[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'ns', uid: `uid-${name}` },
  spec: {
    ...(nodeName === undefined ? {} : { nodeName }),
    containers: [{ name: 'c', envFrom: maps.map((map) => ({ configMapRef: { name: map } })) }],
  },
  status: {},
});

const map = (name: string, data = ''): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'ns' },
  data: { data },
});

it('tells of a change the nodes whose pods use it, and no others', () => {
  const { pods, configMaps, hear } = setUp();
  pods.put(podOn('n1', 'a', 'shared'));
  pods.put(podOn('n2', 'b', 'shared', 'own'));
  expect(hear()).toEqual(['n1 pods', 'n2 pods']);
  configMaps.put(map('own'));
  configMaps.put(map('nobodys'));
  expect(hear()).toEqual(['n2 configmaps']);
  configMaps.put(map('shared'));
  configMaps.put(map('shared', 'new'));
  configMaps.remove(map('shared'));
  expect(hear()).toEqual(Array(3).fill(['n1 configmaps', 'n2 configmaps']).flat());
});

it('forgets a use with the last pod that has it', () => {
  const { pods, index, hear } = setUp();
  pods.put(podOn('n1', 'a', 'm'));
  pods.put(podOn('n1', 'b', 'm'));
  pods.remove(podOn('n1', 'a', 'm'));
  expect(index.usersOf('configmaps', 'ns/m')).toEqual(['n1']);
  pods.put(podOn('n1', 'b', 'other'));
  expect(index.usersOf('configmaps', 'ns/m')).toEqual([]);
  expect(index.usersOf('configmaps', 'ns/other')).toEqual(['n1']);
  pods.remove(podOn('n1', 'b', 'other'));
  expect(index.usersOf('configmaps', 'ns/other')).toEqual([]);
  expect(index.podsOn('n1')).toEqual([]);
  expect(new Set(hear())).toEqual(new Set(['n1 pods']));
});

it('knows a pod from when it is bound, and when another takes its name', () => {
  const { pods, index, hear } = setUp();
  pods.put(podOn(undefined, 'a', 'm'));
  expect(hear()).toEqual([]);
  pods.put(podOn('n1', 'a', 'm'));
  expect(index.usersOf('configmaps', 'ns/m')).toEqual(['n1']);
  const next = podOn('n2', 'a');
  pods.put({ ...next, metadata: { ...next.metadata, uid: 'another' } });
  expect(hear()).toEqual(['n1 pods', 'n1 pods', 'n2 pods']);
  expect(index.usersOf('configmaps', 'ns/m')).toEqual([]);
  expect([index.podsOn('n1').length, index.podsOn('n2').length]).toEqual([0, 1]);
});

it('tells of a class the nodes that have a pod of it', () => {
  const { pods, runtimeClasses, hear } = setUp();
  const pod = podOn('n1', 'a');
  pods.put({ ...pod, spec: { ...pod.spec, runtimeClassName: 'boxed' } });
  pods.put(podOn('n2', 'b'));
  hear();
  const metadata = { name: 'boxed' };
  runtimeClasses.put({ apiVersion: 'v1', kind: 'RuntimeClass', metadata, handler: 'dhow' });
  expect(hear()).toEqual(['n1 runtimeclasses']);
});
