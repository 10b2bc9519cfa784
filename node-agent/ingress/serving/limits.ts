export interface ProxyLimits {
  /** Of a request's head, or of an answer's. */
  readonly headerBytes: number;
  /** Of clients, by port. */
  readonly connections: number;
  /** How long the head of a request may take to come whole. */
  readonly headersMs: number;
  /** Between requests of one connection. */
  readonly keepAliveMs: number;
  /** Without one byte, while a request is answered; of an upgraded connection. */
  readonly idleMs: number;
  readonly upgradedIdleMs: number;
  /** For one endpoint to take a connection, and how many of them are tried. */
  readonly connectMs: number;
  readonly attempts: number;
}

export const PROXY_LIMITS: ProxyLimits = {
  headerBytes: 32 * 1024,
  connections: 8192,
  headersMs: 30_000,
  keepAliveMs: 75_000,
  idleMs: 300_000,
  upgradedIdleMs: 3_600_000,
  connectMs: 3_000,
  attempts: 3,
};
