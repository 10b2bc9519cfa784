import { X509Certificate } from 'node:crypto';

import { Alarm } from '../../lib/async/alarm';
import { backoffMs } from '../../lib/async/backoff';
import { bundleHashOf } from '../../lib/certificate-bundle';
import { certificateLifeOf } from '../../lib/certificate-life';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { IdentityStore, NodeIdentity } from './identity-store';
import { createKey } from './key';
import {
  hasEnded,
  haveAuthoritiesEnded,
  nextIdentity,
  type IssuedCertificate,
} from './next-identity';

interface CertificateRenewerDeps {
  readonly store: Pick<IdentityStore, 'save'>;
  /** Asks the server, as the node that this is now. */
  readonly renew: (certificateRequest: Buffer) => Promise<IssuedCertificate>;
  /** Asks it by the key of a certificate that has ended, of an authority that may have. */
  readonly rejoin: (identity: NodeIdentity) => Promise<NodeIdentity>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Who this node is, kept valid: from two thirds of a certificate's life on it asks for the next,
 * with a new key. The old one stays in use until the new one is on disk.
 */
export class CertificateRenewer {
  private readonly alarm: Alarm;
  /** The hash of the authorities that were asked for, of those that the server told of. */
  private asked = '';
  private told = '';

  constructor(
    private readonly deps: CertificateRenewerDeps,
    private identity: NodeIdentity,
  ) {
    this.alarm = new Alarm(deps.clock);
  }

  get current(): NodeIdentity {
    return this.identity;
  }

  /** What connects from now on shows this one. */
  use(identity: NodeIdentity): void {
    this.identity = identity;
  }

  /** The server trusts the authorities with this hash: others than are known here come with the next certificate. */
  noteAuthorities(hash: string): void {
    if (hash === '' || hash === this.told) return;
    this.told = hash;
    this.alarm.wake();
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.deps;
    // Not all nodes of a cluster, which may have joined together, in the same hour.
    const share = RENEWAL_SHARE + RENEWAL_SPREAD * random.next();
    for (let failures = 0; !signal.aborted;) {
      const { wakes } = this.alarm;
      const dueInMs = renewalMsOf(this.identity.certificate, share) - clock.now();
      if (dueInMs > 0 && !this.isOutdated()) {
        // In short steps: clocks jump, and timers cannot be set a year ahead.
        await this.alarm.sleep(Math.min(dueInMs, LOOK_MS), signal, wakes);
        continue;
      }
      try {
        await this.next();
        failures = 0;
        // Where the clocks of node and server differ by much, the next one is due at once, too.
        await this.alarm.sleep(LOOK_MS, signal, wakes);
      } catch (error) {
        log.warn({ err: describeError(error) }, 'node certificate not renewed');
        await clock.sleep(backoffMs(failures++, BACKOFF, random), signal);
      }
    }
  }

  /** Once for each that the server tells of: several servers need not agree at the same moment. */
  private isOutdated(): boolean {
    const { told, asked, identity } = this;
    return told !== '' && told !== asked && told !== bundleHashOf(identity.caCertificate);
  }

  private async next(): Promise<void> {
    const { store, clock, log } = this.deps;
    const { identity, told } = this;
    const isOver = hasEnded(identity, clock.now()) || haveAuthoritiesEnded(identity, clock.now());
    const next = isOver ? await this.deps.rejoin(identity) : await this.renewed(identity);
    store.save(next);
    this.identity = next;
    this.asked = told;
    const { validTo } = new X509Certificate(next.certificate);
    log.info({ validTo }, 'node certificate renewed');
  }

  private async renewed(identity: NodeIdentity): Promise<NodeIdentity> {
    const { key, certificateRequest } = await createKey();
    return nextIdentity(identity, await this.deps.renew(certificateRequest), key);
  }
}

const renewalMsOf = (certificate: string, share: number): number => {
  const { fromMs, untilMs } = certificateLifeOf(certificate);
  return fromMs + (untilMs - fromMs) * share;
};

const RENEWAL_SHARE = 2 / 3;
const RENEWAL_SPREAD = 0.1;
const LOOK_MS = 600_000;
const BACKOFF = { initialMs: 60_000, maxMs: 600_000 };
