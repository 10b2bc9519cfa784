import { joined, OWN_TABLES, TABLE_NAMES, type Element, type TableName } from './elements';
import { NO_NUMBERS, Numbers, numbersIn, type LookUp, type ServiceNumbers } from './numbers';
import { partOf, planService, type KeepClassOf } from './plan';
import { textIn, type IpFamily } from '../../../lib/net/ip';
import { type ServicePort } from '../../service-network';

/** By table and key; what the kernel has, or is to have. */
export type Tables = ReadonlyMap<TableName, ReadonlyMap<string, string>>;

/** One element that is to be another; undefined: none. */
export interface Change {
  readonly table: TableName;
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

interface Placed {
  readonly elements: readonly Element[];
  readonly numbers: ServiceNumbers;
}

/**
 * What the tables of one family hold for the services that were set, kept up one service at a time. Pure: it changes
 * nothing but itself. Of two services that claim the same address and port, the one whose name comes
 * first has it.
 */
export class ServiceTables {
  private readonly numbers: Numbers;
  private readonly placed = new Map<string, Placed>();
  private peers: readonly Element[] = [];
  private readonly tables = new Map<TableName, Map<string, string>>(
    TABLE_NAMES.map((table) => [table, new Map()]),
  );
  /** Who claims an element that more than one may claim, in the order of their names. */
  private readonly claims = new Map<string, readonly Claim[]>();
  /** How many want an element that says nothing but that it is there. */
  private readonly counts = new Map<string, number>();
  /** What another process has left, until all services have been set once. */
  private adopted: Tables | undefined;
  private readonly lookUp: LookUp = (table, key) => this.tables.get(table)?.get(key);

  /** @param firstNumber anything; another one than the last process began with */
  constructor(
    private readonly family: IpFamily,
    firstNumber: number,
  ) {
    this.numbers = new Numbers(firstNumber);
  }

  get current(): Tables {
    return this.tables;
  }

  /**
   * Takes over the numbers of what the kernel has, so that services that have not changed need no change
   * there, and clients stay where they are. Before the first `set`.
   */
  adopt(services: ReadonlyMap<string, ServicePort>, kernel: Tables): void {
    const lookUp: LookUp = (table, key) => kernel.get(table)?.get(key);
    for (const [name, whole] of services) {
      const service = partOf(whole, this.family);
      if (service === undefined) continue;
      const known = numbersIn(name, frontsOf(service, lookUp), lookUp);
      const numbers = {
        groups: filtered(known.groups, (number) => this.numbers.claimGroup(number)),
        choices: filtered(known.choices, (number) => this.numbers.claimChoice(number)),
      };
      this.placed.set(name, { elements: [], numbers });
    }
    this.adopted = kernel;
  }

  /** Undefined: the service has gone. Returns what the kernel is to change, each element once. */
  set(
    changes: ReadonlyMap<string, ServicePort | undefined>,
    keepClassOf: KeepClassOf,
  ): readonly Change[] {
    const touched = new Map<string, Change>();
    for (const [name, service] of changes) this.place(name, service, keepClassOf, touched);
    this.adopted = undefined;
    return this.changesIn(touched);
  }

  private changesIn(touched: ReadonlyMap<string, Change>): readonly Change[] {
    return [...touched.values()].flatMap((change) => {
      const after = this.lookUp(change.table, change.key);
      return after === change.before ? [] : [{ ...change, after }];
    });
  }

  /** All other nodes there are. Returns what the kernel is to change, as `set` does. */
  setPeers(addresses: readonly string[]): readonly Change[] {
    const own = addresses.flatMap((address) => textIn(this.family, address) ?? []);
    const elements = unique(own.map((key) => ({ table: 'peers', key, data: '' })));
    const touched = new Map<string, Change>();
    this.replace('', this.peers, elements, touched);
    this.peers = elements;
    return this.changesIn(touched);
  }

  private place(
    name: string,
    service: ServicePort | undefined,
    keepClassOf: KeepClassOf,
    touched: Map<string, Change>,
  ): void {
    const before = this.placed.get(name) ?? { elements: [], numbers: NO_NUMBERS };
    // Endpoints keep their slots, also those that another process gave them.
    const turn = this.numbers.turn(
      before.numbers,
      (table, key) => this.lookUp(table, key) ?? this.adopted?.get(table)?.get(key),
    );
    const elements =
      service === undefined
        ? []
        : unique(planService(name, service, this.family, turn, keepClassOf));
    const numbers = turn.finish();
    this.replace(name, before.elements, elements, touched);
    if (service === undefined) this.placed.delete(name);
    else this.placed.set(name, { elements, numbers });
  }

  private replace(
    name: string,
    before: readonly Element[],
    elements: readonly Element[],
    touched: Map<string, Change>,
  ): void {
    const { gone, claimed } = comparison(before, elements);
    for (const { table, key } of [...gone, ...claimed]) {
      const id = idOf(table, key);
      if (touched.has(id)) continue;
      const current = this.lookUp(table, key);
      touched.set(id, { table, key, before: current, after: current });
    }
    for (const element of gone) this.withdraw(name, element);
    for (const element of claimed) this.claim(name, element);
  }

  /** One that the service has had with other data is replaced. */
  private claim(name: string, { table, key, data }: Element): void {
    const id = idOf(table, key);
    if (data === '') this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
    if (data === '' || OWN_TABLES.has(table)) {
      this.tables.get(table)?.set(key, data);
      return;
    }
    const others = (this.claims.get(id) ?? []).filter((claim) => claim.name !== name);
    this.decide(table, key, [...others, { name, data }].sort(byName));
  }

  private withdraw(name: string, { table, key, data }: Element): void {
    const id = idOf(table, key);
    const others = data === '' ? (this.counts.get(id) ?? 1) - 1 : 0;
    if (others > 0) this.counts.set(id, others);
    else this.counts.delete(id);
    if (data !== '' && !OWN_TABLES.has(table)) {
      const claims = this.claims.get(id) ?? [];
      this.decide(
        table,
        key,
        claims.filter((claim) => claim.name !== name),
      );
    } else if (others <= 0) this.tables.get(table)?.delete(key);
  }

  private decide(table: TableName, key: string, claims: readonly Claim[]): void {
    const id = idOf(table, key);
    const [first] = claims;
    if (first === undefined) {
      this.claims.delete(id);
      this.tables.get(table)?.delete(key);
    } else {
      this.claims.set(id, claims);
      this.tables.get(table)?.set(key, first.data);
    }
  }
}

interface Claim {
  readonly name: string;
  readonly data: string;
}

/** Pure: what makes the first tables the second. */
export const differences = (before: Tables, after: Tables): readonly Change[] =>
  TABLE_NAMES.flatMap((table) => {
    const [old, now] = [before.get(table) ?? EMPTY, after.get(table) ?? EMPTY];
    const changes: Change[] = [];
    for (const [key, data] of old)
      if (now.get(key) !== data) changes.push({ table, key, before: data, after: now.get(key) });
    for (const [key, data] of now)
      if (!old.has(key)) changes.push({ table, key, before: undefined, after: data });
    return changes;
  });

/** Marks of the groups that a service's addresses lead to. */
const frontsOf = (
  { protocol, port, clusterAddresses, externalAddresses, nodePort, internalPolicy }: ServicePort,
  lookUp: LookUp,
) => {
  const external = externalAddresses.map(({ address }) => joined(address, protocol, port));
  const inside = clusterAddresses.map((address) => joined(address, protocol, port));
  const ports = nodePort === undefined ? [] : [joined(protocol, nodePort)];
  const first = (...found: readonly (string | undefined)[]): number | undefined => {
    const mark = found.find((data) => data !== undefined);
    return mark === undefined ? undefined : Number(mark);
  };
  const fronts = (keys: readonly string[]) => keys.map((key) => lookUp('front', key));
  const isLocal = internalPolicy === 'local';
  return {
    all: first(
      ...(isLocal ? [] : fronts(inside)),
      ...fronts(external),
      ...ports.map((key) => lookUp('node_port', key)),
    ),
    local: first(
      ...(isLocal ? fronts(inside) : []),
      ...external.map((key) => lookUp('front_out', key)),
      ...ports.map((key) => lookUp('node_port_out', key)),
    ),
  };
};

/**
 * What of a service goes, and what is new or has other data; all else is left as it is. That is more than
 * thrift: a map is slow to find a key that was often deleted and put back.
 */
const comparison = (before: readonly Element[], after: readonly Element[]) => {
  const claimed = byId(after);
  const gone = before.filter(({ table, key, data }) => {
    const id = idOf(table, key);
    const now = claimed.get(id);
    if (now?.data === data) claimed.delete(id);
    return now === undefined;
  });
  return { gone, claimed: [...claimed.values()] };
};

/** The first of each key. */
const unique = (elements: readonly Element[]): readonly Element[] => [
  ...byId(elements.toReversed()).values(),
];

const byId = (elements: readonly Element[]): Map<string, Element> =>
  new Map(elements.map((one) => [idOf(one.table, one.key), one]));

const idOf = (table: TableName, key: string): string => `${table} ${key}`;

const filtered = (
  numbers: ReadonlyMap<string, number>,
  isFree: (number: number) => boolean,
): ReadonlyMap<string, number> => new Map([...numbers].filter(([, number]) => isFree(number)));

const byName = (a: Claim, b: Claim): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

const EMPTY: ReadonlyMap<string, string> = new Map();
