import { jsonEqual } from '../../../api/json-value';
import { isPodReady, isTerminal, isTerminating } from '../../../api/pods';
import { addressesOf, hasSelector, isSelectedBy } from '../../../api/service-endpoints';
import { keyOf, type Pod, type Service } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { KeyedIndex } from '../../../client/keyed-index';
import { NamespaceIndex } from '../../../client/namespace-index';

/**
 * Which pods each Service selects, kept from the informers' changes: a pod that changes is compared
 * with the services that name one of its labels, not with all of its namespace.
 */
export class SelectedPods {
  private readonly podsOf = new Map<string, Map<string, Pod>>();
  private readonly servicesBy: KeyedIndex<Service>;
  private readonly podsIn: NamespaceIndex<Pod>;
  private readonly listeners = new Set<(serviceKey: string) => void>();

  constructor(services: Informer<Service>, pods: Informer<Pod>) {
    this.servicesBy = new KeyedIndex(services, firstPairOf);
    this.podsIn = new NamespaceIndex(pods);
    services.subscribe({
      onAdd: (service) => this.select(service),
      onUpdate: (service, previous) => {
        if (!isSameSelection(service, previous)) this.select(service);
      },
      onDelete: (service) => this.podsOf.delete(keyOf(service)),
    });
    pods.subscribe({
      onAdd: (pod) => this.note(undefined, pod),
      onUpdate: (pod, previous) => this.note(previous, pod),
      onDelete: (pod) => this.note(pod, undefined),
    });
  }

  /** By key of the Service: `namespace/name`. */
  of(serviceKey: string): readonly Pod[] {
    return [...(this.podsOf.get(serviceKey)?.values() ?? [])];
  }

  /** Calls `listener` with each Service whose pods change in a way that endpoints tell; returns the undo. */
  onChange(listener: (serviceKey: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private select(service: Service): void {
    const { namespace = '' } = service.metadata;
    const pods = hasSelector(service)
      ? this.podsIn.in(namespace).filter((pod) => isSelectedBy(service, pod))
      : [];
    this.podsOf.set(keyOf(service), new Map(pods.map((pod) => [keyOf(pod), pod])));
  }

  private note(before: Pod | undefined, after: Pod | undefined): void {
    const from = before === undefined ? [] : this.selectorsOf(before);
    // Nearly every change of a pod is one of its status: who selects it goes by its labels.
    const isSame = before !== undefined && after !== undefined && hasSameLabels(before, after);
    const to = isSame ? from : after === undefined ? [] : this.selectorsOf(after);
    const isNews =
      before === undefined || after === undefined || !jsonEqual(factsOf(before), factsOf(after));
    if (before !== undefined) for (const key of from) this.podsOf.get(key)?.delete(keyOf(before));
    if (after !== undefined) for (const key of to) this.podsOf.get(key)?.set(keyOf(after), after);
    const moved = [...from, ...to].filter((key) => !from.includes(key) || !to.includes(key));
    for (const key of isNews ? new Set([...from, ...to]) : moved)
      for (const listener of this.listeners) listener(key);
  }

  private selectorsOf(pod: Pod): readonly string[] {
    const { namespace = '', labels = {} } = pod.metadata;
    return Object.entries(labels).flatMap(([key, value]) =>
      this.servicesBy
        .in(pairKey(namespace, key, value))
        .filter((service) => isSelectedBy(service, pod))
        .map((service) => keyOf(service)),
    );
  }
}

const hasSameLabels = ({ metadata: a }: Pod, { metadata: b }: Pod): boolean =>
  jsonEqual(a.labels ?? {}, b.labels ?? {});

const isSameSelection = (a: Service, b: Service): boolean =>
  hasSelector(a) === hasSelector(b) && jsonEqual(a.spec?.selector ?? {}, b.spec?.selector ?? {});

const firstPairOf = (service: Service): string | undefined => {
  const [pair] = Object.entries(service.spec?.selector ?? {});
  if (pair === undefined || !hasSelector(service)) return undefined;
  return pairKey(service.metadata.namespace ?? '', ...pair);
};

const pairKey = (namespace: string, key: string, value: string): string =>
  `${namespace} ${key}=${value}`;

/** All of a pod that changes and that an endpoint tells. */
const factsOf = (pod: Pod): unknown => [
  pod.metadata.uid,
  isTerminal(pod),
  isTerminating(pod),
  isPodReady(pod),
  addressesOf(pod),
  pod.spec.nodeName,
  pod.spec.hostname,
  pod.spec.subdomain,
];
