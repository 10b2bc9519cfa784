/**
 * The release of Kubernetes whose API this is: the description of kinds, their rules, and what servers
 * and nodes say that they are. Clients compare it with their own.
 */
export const KUBERNETES_RELEASE = { major: '1', minor: '36', patch: '4' } as const;

const { major, minor, patch } = KUBERNETES_RELEASE;

/** `v1.36.4` */
export const KUBERNETES_VERSION = `v${major}.${minor}.${patch}`;
