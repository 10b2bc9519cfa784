import { createPrivateKey, X509Certificate } from 'node:crypto';

import { backoffMs } from '../../lib/async/backoff';
import { certificateLifeOf } from '../../lib/certificate-life';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { IdentityStore, NodeIdentity } from './identity-store';
import { createKey } from './key';

interface CertificateRenewerDeps {
  readonly store: Pick<IdentityStore, 'save'>;
  /** Asks the server, as the node that this is now. */
  readonly renew: (certificateRequest: Buffer) => Promise<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Who this node is, kept valid: from two thirds of a certificate's life on it asks for the next,
 * with a new key. The old one stays in use until the new one is on disk.
 */
export class CertificateRenewer {
  constructor(
    private readonly deps: CertificateRenewerDeps,
    private identity: NodeIdentity,
  ) {}

  get current(): NodeIdentity {
    return this.identity;
  }

  /** What connects from now on shows this one. */
  use(identity: NodeIdentity): void {
    this.identity = identity;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.deps;
    // Not all nodes of a cluster, which may have joined together, in the same hour.
    const share = RENEWAL_SHARE + RENEWAL_SPREAD * random.next();
    for (let failures = 0; !signal.aborted;) {
      const dueInMs = renewalMsOf(this.identity.certificate, share) - clock.now();
      if (dueInMs > 0) {
        // In short steps: clocks jump, and timers cannot be set a year ahead.
        await clock.sleep(Math.min(dueInMs, LOOK_MS), signal);
        continue;
      }
      try {
        await this.renew();
        failures = 0;
        // Where the clocks of node and server differ by much, the next one is due at once, too.
        await clock.sleep(LOOK_MS, signal);
      } catch (error) {
        log.warn({ err: describeError(error) }, 'node certificate not renewed');
        await clock.sleep(backoffMs(failures++, BACKOFF, random), signal);
      }
    }
  }

  private async renew(): Promise<void> {
    const { store, renew, log } = this.deps;
    const { key, certificateRequest } = await createKey();
    const certificate = await renew(certificateRequest);
    checkNext(this.identity, certificate, key);
    const next = { ...this.identity, certificate, key };
    store.save(next);
    this.identity = next;
    log.info({ validTo: new X509Certificate(certificate).validTo }, 'node certificate renewed');
  }
}

const renewalMsOf = (certificate: string, share: number): number => {
  const { fromMs, untilMs } = certificateLifeOf(certificate);
  return fromMs + (untilMs - fromMs) * share;
};

/** A certificate that would shut the node out must not replace one that works. @throws Error */
const checkNext = (identity: NodeIdentity, certificate: string, key: string): void => {
  const before = new X509Certificate(identity.certificate);
  const next = new X509Certificate(certificate);
  const ca = new X509Certificate(identity.caCertificate);
  const isGood =
    next.subject === before.subject &&
    next.checkPrivateKey(createPrivateKey(key)) &&
    next.verify(ca.publicKey) &&
    Date.parse(next.validTo) >= Date.parse(before.validTo);
  if (!isGood) throw new Error('the server sent a certificate that is of no use to this node');
};

const RENEWAL_SHARE = 2 / 3;
const RENEWAL_SPREAD = 0.1;
const LOOK_MS = 3_600_000;
const BACKOFF = { initialMs: 60_000, maxMs: 3_600_000 };
