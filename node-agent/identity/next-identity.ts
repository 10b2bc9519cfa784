import { createPrivateKey, X509Certificate } from 'node:crypto';
import { certificatesIn, isSignedByOneOf, keyHashesIn } from '../../lib/certificate-bundle';
import { certificateLifeOf } from '../../lib/certificate-life';
import type { NodeIdentity } from './identity-store';

export interface IssuedCertificate {
  readonly certificate: string;
  /** All authorities that the server trusts; empty for those that the node knows. */
  readonly caCertificate: string;
}

/**
 * Who the node is with what the server has issued for `key`. A certificate that would shut the node out must not
 * replace one that works. @throws Error
 */
export const nextIdentity = (
  identity: NodeIdentity,
  { certificate, caCertificate }: IssuedCertificate,
  key: string,
): NodeIdentity => {
  const before = new X509Certificate(identity.certificate);
  const next = new X509Certificate(certificate);
  const trusted = caCertificate === '' ? identity.caCertificate : caCertificate;
  const authorities = certificatesIn(trusted);
  const isGood =
    authorities.length > 0 &&
    authorities.length <= AUTHORITIES_MAX &&
    authorities.every(({ ca }) => ca) &&
    next.subject === before.subject &&
    next.checkPrivateKey(createPrivateKey(key)) &&
    isSignedByOneOf(next, trusted) &&
    Date.parse(next.validTo) >= Date.parse(before.validTo);
  if (!isGood) throw new Error('the server sent a certificate that is of no use to this node');
  const [caHash = identity.caHash] = keyHashesIn(trusted);
  return { ...identity, certificate, key, caCertificate: trusted, caHash };
};

/** Can the node show this certificate to nobody any more? */
export const hasEnded = ({ certificate }: NodeIdentity, nowMs: number): boolean =>
  certificateLifeOf(certificate).untilMs <= nowMs;

/** Is none of the authorities that it knows good any more? Then it knows their keys alone. */
export const haveAuthoritiesEnded = ({ caCertificate }: NodeIdentity, nowMs: number): boolean =>
  certificatesIn(caCertificate).every(({ validTo }) => Date.parse(validTo) <= nowMs);

const AUTHORITIES_MAX = 8;
