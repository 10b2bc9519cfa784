import {
  type ServiceNetwork,
  type ServiceNetworkFacts,
  type ServicePort,
} from '../../service-network';

/** Remembers what it is told; no kernel. */
export class FakeServiceNetwork implements ServiceNetwork {
  facts: ServiceNetworkFacts | undefined;
  readonly services = new Map<string, ServicePort>();
  /** How many times `apply` was called. */
  applyCount = 0;
  /** What the next `check` says. */
  nextFault: string | undefined;
  /** When set, the next `apply` fails with it. */
  nextApplyError: Error | undefined;

  async configure(facts: ServiceNetworkFacts): Promise<void> {
    this.facts = facts;
  }

  async apply(changes: ReadonlyMap<string, ServicePort | undefined>): Promise<string | undefined> {
    this.applyCount++;
    for (const [name, service] of changes)
      if (service === undefined) this.services.delete(name);
      else this.services.set(name, service);
    const error = this.nextApplyError;
    this.nextApplyError = undefined;
    if (error !== undefined) throw error;
    return undefined;
  }

  async check(): Promise<string | undefined> {
    const fault = this.nextFault;
    this.nextFault = undefined;
    return fault;
  }
}
