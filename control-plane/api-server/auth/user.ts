/** Who asks. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  /** Of the certificate that the user came with: the hash of its key. */
  readonly keyHash?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const MASTERS = 'system:masters';
export const NODES_GROUP = 'system:nodes';
export const AUTHENTICATED = 'system:authenticated';
export const UNAUTHENTICATED = 'system:unauthenticated';

/** The server's own components, in process. */
export const SYSTEM_USER: User = {
  name: 'system:apiserver',
  groups: [MASTERS, AUTHENTICATED],
};

export const ANONYMOUS: User = { name: 'system:anonymous', groups: [UNAUTHENTICATED] };

export const isAnonymous = ({ groups }: User): boolean => groups.includes(UNAUTHENTICATED);

/** The node that a node's certificate names. */
export const nodeNameOf = ({ name, groups }: User): string | undefined =>
  groups.includes(NODES_GROUP) ? nodeNameIn(name) : undefined;

/** What comes after `system:node:`. */
export const nodeNameIn = (userName: string): string | undefined =>
  userName.startsWith(NODE_PREFIX) ? userName.slice(NODE_PREFIX.length) : undefined;

/**
 * Whose share of what all have together somebody uses up. The accounts of a namespace have one: who may
 * make an account there may make thousands. Undefined for administrators, who must get through when
 * everybody else takes all they can.
 */
export const sharerOf = ({ name, groups }: User): string | undefined => {
  if (groups.includes(MASTERS)) return undefined;
  return SERVICE_ACCOUNT.exec(name)?.[1] ?? name;
};

const SERVICE_ACCOUNT = /^(system:serviceaccount:[^:]+):/;
const NODE_PREFIX = 'system:node:';
