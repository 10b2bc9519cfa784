import { certificatesIn } from '../../lib/certificate-bundle';
import { backoffMs } from '../../lib/async/backoff';
import { rfc3339, type Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { KeyPairPem } from './certificates';
import type { Pki } from './pki';
import { authorityStateOf, type AuthorityState } from './renewal';

export interface CertificateKeeperDeps {
  readonly pki: Pick<Pki, 'caCertificate' | 'server' | 'admin' | 'renewDue' | 'lives'>;
  /** Shows the new certificate to whoever connects from now on, and believes the authorities of now. */
  readonly useServer: () => void;
  /** Hands the administrator's new certificate out, and the authorities with it. Tried again when it fails. */
  readonly useAdmin: () => Promise<unknown>;
  /** How long a new certificate is good. */
  readonly lifeMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Renews the server's own certificates while it runs, until `signal` aborts. The wall clock is looked
 * at once a minute instead of being reckoned with: people set it, and machines sleep.
 */
export const keepCertificates = async (
  deps: CertificateKeeperDeps,
  signal: AbortSignal,
): Promise<void> => {
  const { lifeMs, clock, random, log } = deps;
  const lookMs = Math.min(LOOK_MS, lifeMs * LOOK_SHARE);
  // Not all servers that were set up together in the same hour.
  const leftShare = LEFT_SHARE - LEFT_SPREAD * random.next();
  const inUse = new InUse(deps);
  const notice = new AuthorityNotice(deps);
  for (let failures = 0; !signal.aborted;) {
    let waitMs = lookMs * (1 - LOOK_JITTER * random.next());
    try {
      notice.look();
      await deps.pki.renewDue(leftShare);
      await inUse.catchUp();
      failures = 0;
    } catch (error) {
      log.warn({ err: describeError(error) }, 'certificates not renewed');
      waitMs = backoffMs(failures++, BACKOFF, random);
    }
    await clock.sleep(waitMs, signal);
  }
};

/** What has been handed on of what was renewed: a failure in between loses nothing. */
class InUse {
  private server: KeyPairPem;
  private admin: KeyPairPem;
  private caCertificate: string;

  constructor(private readonly deps: CertificateKeeperDeps) {
    const { pki } = deps;
    [this.server, this.admin, this.caCertificate] = [pki.server, pki.admin, pki.caCertificate];
  }

  async catchUp(): Promise<void> {
    const { pki, useServer, useAdmin, log } = this.deps;
    const { server, admin, caCertificate } = pki;
    if (caCertificate !== this.caCertificate) {
      useServer();
      await useAdmin();
      this.caCertificate = caCertificate;
      const count = certificatesIn(caCertificate).length;
      log.info({ count }, 'certificate authorities taken up');
    }
    if (server !== this.server) {
      useServer();
      this.server = server;
      this.tell('server');
    }
    if (admin !== this.admin) {
      await useAdmin();
      this.admin = admin;
      this.tell('admin');
    }
  }

  private tell(certificate: 'server' | 'admin'): void {
    const { pki, log } = this.deps;
    const until = rfc3339(pki.lives()[certificate].untilMs);
    log.info({ certificate, until }, 'certificate renewed');
  }
}

/** Says once a day that the authority, which nothing renews, is about to end. */
class AuthorityNotice {
  private said: { readonly state: AuthorityState; readonly atMs: number } | undefined;

  constructor(private readonly deps: CertificateKeeperDeps) {}

  look(): void {
    const { pki, clock, log } = this.deps;
    const { ca } = pki.lives();
    const state = authorityStateOf(ca, clock.now());
    const { said } = this;
    const isSaid = said?.state === state && clock.monotonicMs() - said.atMs < NOTICE_EVERY_MS;
    if (isSaid) return;
    this.said = { state, atMs: clock.monotonicMs() };
    const fields = { from: rfc3339(ca.fromMs), until: rfc3339(ca.untilMs) };
    switch (state) {
      case 'good':
        break;
      case 'ending':
        log.warn(fields, `the certificate authority is about to end: ${GUIDE}`);
        break;
      case 'ended':
        log.error(fields, `the certificate authority has ended, nobody can connect: ${GUIDE}`);
        break;
      case 'early':
        log.error(fields, 'the clock of this machine is behind the certificate authority');
    }
  }
}

const GUIDE = 'see docs/guides/certificates.md';
const LEFT_SHARE = 1 / 3;
const LEFT_SPREAD = 0.1;
const LOOK_MS = 60_000;
/** Of a life that is shorter than usual. */
const LOOK_SHARE = 1 / 20;
const LOOK_JITTER = 0.5;
const NOTICE_EVERY_MS = 24 * 3_600_000;
const BACKOFF = { initialMs: 5_000, maxMs: 3_600_000 };
