import type { ApiError } from '../../../../api/errors';
import { bounds, unspecified } from '../../../../api/quota/ledger';
import { isCounted, mayGrow } from '../../../../api/quota/usage';
import { PODS, RESOURCE_QUOTAS } from '../../../../api/resources';
import {
  nameKey,
  nameOf,
  type ObjectName,
  type Pod,
  type ResourceQuota,
} from '../../../../api/types';
import type { Clock } from '../../../../lib/clock';
import { randomSuffix, type Random } from '../../../../lib/random';
import type { AdmissionPlugin, Reservation } from '../admission-plugin';
import type { AdmissionReader } from '../admission-reader';
import { objectOf, type AdmissionAttributes } from '../attributes';
import { refusal } from '../refusal';
import type { Claim } from './judgement';
import { QuotaAccount, type QuotaStore } from './quota-account';

export interface ResourceQuotaDeps {
  readonly reader: AdmissionReader;
  readonly store: QuotaStore;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Lets nothing be made, or grow, beyond what the quotas of its namespace allow, however much comes at
 * once: what a write needs is taken before it and given back if it fails.
 */
export const resourceQuota = (deps: ResourceQuotaDeps): AdmissionPlugin => {
  const accounts = new QuotaAccounts(deps);
  return {
    name: 'ResourceQuota',
    handles: ({ operation, subresource, kind: { resource } }) =>
      (subresource === '' || subresource === 'resize') &&
      isCounted(resource) &&
      (operation === 'CREATE' || (operation === 'UPDATE' && mayGrow(resource))),
    reserve: async (asked, signal) => {
      const { namespace, operation } = asked;
      const { resource } = asked.kind;
      await deps.reader.ready(RESOURCE_QUOTAS.plural, signal);
      const quotas = (
        deps.reader.list(RESOURCE_QUOTAS.plural, namespace) as readonly ResourceQuota[]
      ).filter((quota) => bounds(quota, resource));
      if (quotas.length === 0) return undefined;
      if (resource === PODS && operation === 'CREATE') requireSaid(asked, quotas);
      return accounts.take(asked, quotas.map(nameOf), signal);
    },
  };
};

const requireSaid = (asked: AdmissionAttributes, quotas: readonly ResourceQuota[]): void => {
  for (const quota of quotas) {
    const why = unspecified(quota, objectOf(asked) as unknown as Pod);
    if (why !== undefined) throw failed(asked, quota.metadata.name, why);
  }
};

const failed = (asked: AdmissionAttributes, quotaName: string, why: string): ApiError =>
  refusal(asked, `failed quota: ${quotaName}: ${why}`);

/** An account for each quota in use. */
class QuotaAccounts {
  private readonly accounts = new Map<string, QuotaAccount>();

  constructor(private readonly deps: ResourceQuotaDeps) {}

  /**
   * Takes from all quotas, in an order that is the same for all, so that no two wait for each other.
   * @throws Forbidden by the first that refuses; what the others gave is given back
   */
  async take(
    asked: AdmissionAttributes,
    names: readonly ObjectName[],
    signal: AbortSignal,
  ): Promise<Reservation | undefined> {
    const claim = this.claimOf(asked);
    const taken: ObjectName[] = [];
    try {
      for (const name of names) {
        const verdict = await this.using(name, (account) => account.take(claim, signal));
        if (verdict.type === 'refused') throw refusal(asked, verdict.why);
        if (verdict.type === 'taken') taken.push(name);
      }
    } catch (error) {
      await this.settle(claim, taken, 'refused');
      throw error;
    }
    if (taken.length === 0) return undefined;
    return { settle: (outcome) => this.settle(claim, taken, outcome) };
  }

  private claimOf(asked: AdmissionAttributes): Claim {
    return {
      id: randomSuffix(this.deps.random, ID_LENGTH),
      kind: asked.kind.resource,
      object: objectOf(asked),
      old: asked.old,
      isDryRun: asked.isDryRun,
    };
  }

  /** What cannot be written down now is found by the next count, or its time is over. */
  private async settle(
    claim: Claim,
    names: readonly ObjectName[],
    outcome: Parameters<QuotaAccount['settle']>[1],
  ): Promise<void> {
    await Promise.allSettled(
      names.map((name) => this.using(name, (account) => account.settle(claim, outcome))),
    );
  }

  private async using<T>(
    name: ObjectName,
    work: (account: QuotaAccount) => Promise<T>,
  ): Promise<T> {
    const key = nameKey(name);
    const account = this.accounts.get(key) ?? new QuotaAccount(name, this.deps);
    this.accounts.set(key, account);
    try {
      return await work(account);
    } finally {
      if (account.isIdle && this.accounts.get(key) === account) this.accounts.delete(key);
    }
  }
}

const ID_LENGTH = 12;
