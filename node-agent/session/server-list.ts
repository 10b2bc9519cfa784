import { isIP } from 'node:net';
import type { Log } from '../../lib/log';
import { hostPort } from '../../lib/net/ip';
import type { Random } from '../../lib/random';

/** Where a server listens for agents. */
export interface ServerEndpoint {
  readonly host: string;
  readonly port: number;
}

/** What is known of the servers that there are. */
export interface KnownEndpoints {
  /** Those that the operator has named: they stay, whatever servers say. */
  readonly configured: readonly ServerEndpoint[];
  /** Those that a server has told of. */
  readonly learned: readonly ServerEndpoint[];
  /** The last that had a session of this node. */
  readonly last: ServerEndpoint | undefined;
  /** Which have failed since then, the first to fail first. */
  readonly failed: readonly ServerEndpoint[];
}

/**
 * In which order to try them: the last good one, those that servers tell of in any order, so that not all agents go
 * to the same, those that were configured; and then again those that have failed since, the longest ago first. None
 * is left out: it may be the only one to come back.
 */
export const orderEndpoints = (
  { configured, learned, last, failed }: KnownEndpoints,
  random: Random,
): readonly ServerEndpoint[] => {
  const told = unique(learned);
  const shuffled = told
    .map((endpoint) => ({ endpoint, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ endpoint }) => endpoint);
  const all = unique([...shuffled, ...configured]);
  const isKnown = (each: ServerEndpoint) => all.some((other) => nameOf(other) === nameOf(each));
  const first = last !== undefined && isKnown(last) ? [last] : [];
  const late = unique(failed.filter(isKnown));
  const lateNames = new Set(late.map(nameOf));
  const fresh = unique([...first, ...all]).filter((each) => !lateNames.has(nameOf(each)));
  return [...fresh, ...late];
};

/** Of what a server says, what can be one: another program may have written it. */
export const usableEndpoints = (
  told: readonly ServerEndpoint[],
  current: ServerEndpoint,
): readonly ServerEndpoint[] => {
  const usable = told
    .slice(0, ENDPOINTS_MAX)
    .filter(
      ({ host, port }) => isHost(host) && Number.isInteger(port) && port >= 1 && port <= 65_535,
    )
    // Its own loopback is not this machine's, unless it is the same machine.
    .filter(({ host }) => !isLoopback(host) || isLoopback(current.host));
  // One alone is the one that this agent has found: by an address that is good here.
  return usable.length < 2 ? [] : unique(usable);
};

export interface ServerListDeps {
  /** At least one. */
  readonly configured: readonly ServerEndpoint[];
  /** What was learned, from one start to the next. Default: it is forgotten. */
  readonly memory?: EndpointMemory;
  readonly random: Random;
  readonly log: Log;
}

/** Keeps what an agent has learned of servers. */
export interface EndpointMemory {
  load(): Pick<KnownEndpoints, 'learned' | 'last'>;
  save(known: Pick<KnownEndpoints, 'learned' | 'last'>): void;
}

/** The servers of an agent's cluster, and the one to speak to. */
export class ServerList {
  private learned: readonly ServerEndpoint[];
  private last: ServerEndpoint | undefined;
  private failures: readonly ServerEndpoint[] = [];
  private chosen: ServerEndpoint;

  constructor(private readonly deps: ServerListDeps) {
    const { learned, last } = deps.memory?.load() ?? { learned: [], last: undefined };
    this.learned = learned;
    this.last = last;
    this.chosen = this.order()[0] ?? { host: '', port: 0 };
  }

  /** The one to speak to: it changes by `failed` alone. */
  get current(): ServerEndpoint {
    return this.chosen;
  }

  get hasSeveral(): boolean {
    return this.order().length > 1;
  }

  /** Is there one that has not failed since there was a session? */
  get hasFresh(): boolean {
    return this.order().length > this.failures.length;
  }

  /** How often all have failed in turn since there was a session. */
  rounds(failureCount: number): number {
    return Math.floor(failureCount / Math.max(1, this.order().length));
  }

  /** What a server says of all. */
  learn(told: readonly ServerEndpoint[]): void {
    const usable = usableEndpoints(told, this.chosen);
    if (usable.length === 0 || namesOf(usable) === namesOf(this.learned)) return;
    this.learned = usable;
    this.deps.log.info({ servers: usable.map(nameOf) }, 'the servers of the cluster');
    this.save();
  }

  /** There is a session. */
  succeeded(): void {
    this.failures = [];
    if (this.last !== undefined && nameOf(this.last) === nameOf(this.chosen)) return;
    this.last = this.chosen;
    this.save();
  }

  /** No session came of it, or it has ended: the next is chosen. */
  failed(): void {
    const name = nameOf(this.chosen);
    this.failures = [...this.failures.filter((each) => nameOf(each) !== name), this.chosen];
    const [next] = this.order();
    if (next !== undefined && nameOf(next) !== name)
      this.deps.log.info({ from: name, to: nameOf(next) }, 'another server is tried');
    this.chosen = next ?? this.chosen;
    this.failures = this.failures.filter((each) =>
      this.order().some((other) => nameOf(other) === nameOf(each)),
    );
  }

  private order(): readonly ServerEndpoint[] {
    const { configured, random } = this.deps;
    const { learned, last, failures: failed } = this;
    return orderEndpoints({ configured, learned, last, failed }, random);
  }

  private save(): void {
    const { memory, log } = this.deps;
    try {
      memory?.save({ learned: this.learned, last: this.last });
    } catch (error) {
      // A full disk must not keep it from a session.
      log.warn({ err: error }, 'the servers of the cluster are not kept');
    }
  }
}

const nameOf = ({ host, port }: ServerEndpoint): string => hostPort(host, port);

const namesOf = (endpoints: readonly ServerEndpoint[]): string =>
  endpoints.map(nameOf).sort().join();

const unique = (endpoints: readonly ServerEndpoint[]): readonly ServerEndpoint[] => {
  const names = endpoints.map(nameOf);
  return endpoints.filter((_, index) => names.indexOf(names[index] ?? '') === index);
};

const isHost = (host: string): boolean =>
  isIP(host) !== 0 || /^[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?$/.test(host);

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

const ENDPOINTS_MAX = 64;
