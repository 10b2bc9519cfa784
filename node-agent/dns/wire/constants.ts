/** Numbers of the DNS. Source: the IANA registry of DNS parameters. */
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  /** From here on types are questions or belong to a transfer: no data has them. */
  FIRST_META: 128,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  LAST_META: 255,
} as const;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Its upper bits are in the OPT record. */
  BADVERS: 16,
} as const;

export const CLASS_IN = 1;

/** Bits of the header's second word. */
export const FLAG = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const;

export const HEADER_BYTES = 12;
/** What a client takes that does not say. */
export const PLAIN_UDP_BYTES = 512;
/** Passes every path without fragments. Source: DNS flag day 2020. */
export const UDP_MAX_BYTES = 1232;
/** Its length is in two bytes. */
export const TCP_MAX_BYTES = 65_535;
export const LABEL_MAX_BYTES = 63;
/** With the length of each label, and the root's. */
export const NAME_MAX_BYTES = 255;
