/** Where `kubectl apply` keeps what it sent last, to find out later what its author removed. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
