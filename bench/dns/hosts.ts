export interface Host {
  readonly service: string;
  readonly name: string;
  readonly address: string;
}

/** The names that both servers know. */
export const hostsOf = (): readonly Host[] =>
  Array.from({ length: HOST_COUNT }, (_none, i) => ({
    service: `s${i}`,
    name: `s${i}.default.svc.cluster.local`,
    address: `10.96.${i >> 8}.${i & 255}`,
  }));

const HOST_COUNT = 10_000;
