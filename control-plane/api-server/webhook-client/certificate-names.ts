import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { WRONG_NAMES } from './call-error';
import { isAddress } from './target';

/**
 * Why the certificate is not one for this host. As upstream: the name must be among the alternative
 * names, the common name counts for nothing.
 */
export const checkNames = (host: string, certificate: PeerCertificate): Error | undefined => {
  const names = certificate.subjectaltname ?? '';
  if (names === '')
    return wrongNames('certificate relies on legacy Common Name field, use SANs instead');
  if (checkServerIdentity(host, certificate) === undefined) return undefined;
  const kind = isAddress(host) ? 'IP Address:' : 'DNS:';
  const listed = names
    .split(', ')
    .filter((each) => each.startsWith(kind))
    .map((each) => each.slice(kind.length));
  return wrongNames(
    listed.length === 0
      ? `certificate is not valid for any names, but wanted to match ${host}`
      : `certificate is valid for ${listed.join(', ')}, not ${host}`,
  );
};

const wrongNames = (why: string): Error => Object.assign(new Error(why), { code: WRONG_NAMES });
