import { constants } from 'node:crypto';
import type { PeerCertificate, TLSSocket } from 'node:tls';

/**
 * Options of a TLS server that knows its clients by certificates: no session is resumed. One that is
 * would be of whoever began it, though their certificate has ended or its authority has been replaced.
 */
export const NO_RESUMPTION = { secureOptions: constants.SSL_OP_NO_TICKET } as const;

/**
 * The certificate by which a client has shown who it is. `authorized` alone does not tell: Node says it
 * of every session that is resumed without a certificate. Undefined, too, once the client has gone.
 */
export const peerCertificateOf = (socket: TLSSocket): PeerCertificate | undefined => {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerCertificate() as Partial<PeerCertificate> | null;
  return certificate?.raw === undefined ? undefined : (certificate as PeerCertificate);
};
