/** What a machine needs to join: where the agents' port is, whom to trust, and the secret. */
export interface JoinToken {
  readonly agentsPort: number;
  /** SHA-256 of the cluster CA's SubjectPublicKeyInfo (DER), in hex. */
  readonly caHash: string;
  /** Public half of the bootstrap token: 6 characters. */
  readonly id: string;
  /** Secret half: 16 characters. */
  readonly secret: string;
}

const PATTERN = /^dhow1:([0-9]{1,5}):([0-9a-f]{64}):([a-z0-9]{6})\.([a-z0-9]{16})$/;

/** `dhow1:<agentsPort>:<caHash>:<id>.<secret>` */
export const formatJoinToken = ({ agentsPort, caHash, id, secret }: JoinToken): string =>
  `dhow1:${agentsPort}:${caHash}:${id}.${secret}`;

/** @throws Error that says what is wrong, without repeating the secret. */
export const parseJoinToken = (text: string): JoinToken => {
  const match = PATTERN.exec(text.trim());
  const [, port = '', caHash = '', id = '', secret = ''] = match ?? [];
  const agentsPort = Number(port);
  if (match === null || agentsPort < 1 || agentsPort > 65_535)
    throw new Error('invalid join token: expected dhow1:PORT:CA-HASH:ID.SECRET');
  return { agentsPort, caHash, id, secret };
};

/** What the server checks: `<id>.<secret>`. */
export const bootstrapTokenOf = ({ id, secret }: JoinToken): string => `${id}.${secret}`;
