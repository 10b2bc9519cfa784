import { NETWORK_ROW } from '../../api/assignment-rows';
import { annotationsForNodes, isServedIngress, secretKeysOf } from '../../api/ingresses';
import {
  keyOf,
  type ApiObject,
  type Ingress,
  type IngressClass,
  type Secret,
} from '../../api/types';
import type { NodesServerDeps } from './deps';

export type IngressViews = Pick<NodesServerDeps, 'ingresses' | 'ingressClasses' | 'secrets'>;

type IngressRow = typeof NETWORK_ROW.ingresses | typeof NETWORK_ROW.ingressSecrets;

type Put = (resource: IngressRow, key: string, value: object | undefined) => void;

/**
 * Calls `put` with each ingress that the nodes serve, and with the secrets that those name, and no others:
 * a key leaves the server for as long as a certificate is to be shown. Returns the undo.
 */
export const followIngresses = (views: IngressViews, put: Put): (() => void) => {
  const served = new ServedIngresses(views.secrets, put);
  const onIngress = (ingress: Ingress) => served.set(keyOf(ingress), ingress);
  const onClass = (one: IngressClass) => served.setClass(one.metadata.name, one);
  const onSecret = (secret: Secret) => served.setSecret(keyOf(secret), secret);
  const undo = [
    views.ingressClasses.subscribe({
      ...{ name: 'nodes', onAdd: onClass, onUpdate: onClass },
      onDelete: ({ metadata }) => served.setClass(metadata.name, undefined),
    }),
    views.ingresses.subscribe({
      ...{ name: 'nodes', onAdd: onIngress, onUpdate: onIngress },
      onDelete: (ingress) => served.set(keyOf(ingress), undefined),
    }),
    views.secrets.subscribe({
      ...{ name: 'nodes-ingress', onAdd: onSecret, onUpdate: onSecret },
      onDelete: (secret) => served.setSecret(keyOf(secret), undefined),
    }),
  ];
  return () => undo.forEach((each) => each());
};

class ServedIngresses {
  private readonly ingresses = new Map<string, Ingress>();
  private readonly classes = new Map<string, IngressClass>();
  /** Of the served ones, by their key. */
  private readonly secretsOf = new Map<string, readonly string[]>();
  /** How many of the served ones name a secret. */
  private readonly uses = new Map<string, number>();

  constructor(
    private readonly secrets: Pick<IngressViews['secrets'], 'get'>,
    private readonly put: Put,
  ) {}

  set(key: string, ingress: Ingress | undefined): void {
    if (ingress === undefined) this.ingresses.delete(key);
    else this.ingresses.set(key, ingress);
    this.tell(key);
  }

  setClass(name: string, one: IngressClass | undefined): void {
    if (one === undefined) this.classes.delete(name);
    else this.classes.set(name, one);
    for (const key of this.ingresses.keys()) this.tell(key);
  }

  setSecret(key: string, secret: Secret | undefined): void {
    if (this.uses.has(key)) this.putSecret(key, secret);
  }

  private tell(key: string): void {
    const ingress = this.ingresses.get(key);
    const isServed =
      ingress !== undefined && isServedIngress(ingress, (name) => this.classes.get(name));
    this.useSecrets(key, isServed ? secretKeysOf(ingress) : []);
    this.put(NETWORK_ROW.ingresses, key, isServed ? ingressForNodes(ingress) : undefined);
  }

  private useSecrets(key: string, wanted: readonly string[]): void {
    const before = this.secretsOf.get(key) ?? [];
    if (wanted.length === 0) this.secretsOf.delete(key);
    else this.secretsOf.set(key, wanted);
    for (const secret of wanted) {
      const count = this.uses.get(secret) ?? 0;
      this.uses.set(secret, count + 1);
      if (count === 0) this.putSecret(secret, this.secrets.get(secret));
    }
    for (const secret of before) {
      const count = (this.uses.get(secret) ?? 1) - 1;
      if (count > 0) this.uses.set(secret, count);
      else {
        this.uses.delete(secret);
        this.putSecret(secret, undefined);
      }
    }
  }

  private putSecret(key: string, secret: Secret | undefined): void {
    this.put(NETWORK_ROW.ingressSecrets, key, secret && secretForNodes(secret));
  }
}

/** Pure: of an Ingress, what a node acts on. */
const ingressForNodes = (ingress: Ingress): Ingress => {
  const { apiVersion, kind, metadata, spec } = ingress;
  const annotations = annotationsForNodes(ingress);
  const identity = identityOf(metadata);
  return {
    ...{ apiVersion, kind },
    metadata: annotations === undefined ? identity : { ...identity, annotations },
    ...(spec === undefined ? {} : { spec }),
  };
};

/** Pure: whatever else a secret holds stays where it is. */
const secretForNodes = ({ apiVersion, kind, metadata, data = {} }: Secret): Secret => ({
  ...{ apiVersion, kind, metadata: identityOf(metadata) },
  data: Object.fromEntries(
    CERTIFICATE_KEYS.flatMap((key) => (data[key] === undefined ? [] : [[key, data[key]]])),
  ),
});

const identityOf = ({ name, namespace, uid, creationTimestamp }: ApiObject['metadata']) => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  ...(uid === undefined ? {} : { uid }),
  ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
});

const CERTIFICATE_KEYS = ['tls.crt', 'tls.key'];
