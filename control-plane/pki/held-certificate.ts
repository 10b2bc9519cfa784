import { certificateLifeOf, type CertificateLife } from '../../lib/certificate-life';
import type { Clock } from '../../lib/clock';
import {
  bearsNames,
  type CertificateAuthority,
  type CertificateRequest,
  type KeyPairPem,
} from './certificates';
import { readPair, writePair } from './pair-file';
import { isDue } from './renewal';

/** A certificate of the server's own, in a file and of the authority of the moment, with the next one in its place when it is time. */
export class HeldCertificate {
  private constructor(
    private readonly path: string,
    private readonly authority: () => CertificateAuthority,
    private readonly request: CertificateRequest & { readonly lifeMs: number },
    private readonly clock: Clock,
    private current: KeyPairPem,
  ) {}

  /** What the file has, or a new one when that is of no use: not of this authority, without a name, or due. */
  static async open(
    path: string,
    authority: () => CertificateAuthority,
    request: CertificateRequest & { readonly lifeMs: number },
    clock: Clock,
  ): Promise<HeldCertificate> {
    const ca = authority();
    const pair = (await readOwn(path, ca, request)) ?? (await issue(path, ca, request, clock));
    const held = new HeldCertificate(path, authority, request, clock, pair);
    await held.renewIfDue(LEFT_SHARE_AT_START);
    return held;
  }

  get pair(): KeyPairPem {
    return this.current;
  }

  get life(): CertificateLife {
    return certificateLifeOf(this.current.certificate);
  }

  /**
   * The old one stays in use until the new one is on disk. One that somebody put into its place is taken
   * first (`rotateCertificates`). That of a former authority is always due.
   */
  async renewIfDue(leftShare: number): Promise<void> {
    const { path, request, clock } = this;
    const ca = this.authority();
    const stored = await readOwn(path, ca, request);
    if (stored !== undefined && stored.certificate !== this.current.certificate)
      this.current = stored;
    const rule = { lifeMs: request.lifeMs, leftShare, authorityUntilMs: ca.life.untilMs };
    const isOwn = ca.hasSigned(this.current.certificate);
    if (!isOwn || isDue(this.life.untilMs, clock.now(), rule))
      this.current = await issue(path, ca, request, clock);
  }
}

/** Undefined when what is there is of no use. */
const readOwn = async (
  path: string,
  ca: CertificateAuthority,
  { names = [] }: CertificateRequest,
): Promise<KeyPairPem | undefined> => {
  const stored = await readPair(path);
  const isOwn =
    stored !== undefined &&
    ca.hasSigned(stored.certificate) &&
    bearsNames(stored.certificate, names);
  return isOwn ? stored : undefined;
};

const issue = async (
  path: string,
  ca: CertificateAuthority,
  request: CertificateRequest,
  clock: Clock,
): Promise<KeyPairPem> => {
  const pair = await ca.issue(request, clock.now());
  await writePair(path, pair);
  return pair;
};

/** Whoever starts a server often need not wait for its timer. */
const LEFT_SHARE_AT_START = 1 / 3;
