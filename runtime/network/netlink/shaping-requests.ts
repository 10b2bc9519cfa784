import { constants } from 'node:os';
import {
  attribute,
  cString,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  u16be,
  u32,
  u64,
  u8,
  type NetlinkRequest,
} from './wire';

const { EEXIST } = constants.errno;

export interface TokenBucket {
  readonly bytesPerSecond: number;
  /** What may go at once after a pause. */
  readonly burstBytes: number;
  /** What waits at most; more is dropped. */
  readonly queueBytes: number;
}

/**
 * All that leaves by the interface goes through a token bucket. Idempotent.
 * @see tc-tbf(8), linux/pkt_sched.h
 */
export const setTokenBucket = (
  index: number,
  { bytesPerSecond, burstBytes, queueBytes }: TokenBucket,
): NetlinkRequest => ({
  type: RTM_NEWQDISC,
  flags: NLM_F_CREATE | NLM_F_REPLACE,
  what: `limit bandwidth of interface ${index} by a token bucket (sch_tbf)`,
  body: Buffer.concat([
    trafficHeader(index, ROOT_HANDLE, TC_H_ROOT),
    attribute(TCA_KIND, cString('tbf')),
    attribute(
      TCA_OPTIONS,
      attribute(
        TCA_TBF_PARMS,
        rateSpec(bytesPerSecond),
        rateSpec(0),
        u32(queueBytes),
        // The kernel computes buffer and largest packet from the burst.
        u32(0),
        u32(0),
      ),
      attribute(TCA_TBF_BURST, u32(burstBytes)),
      attribute(TCA_TBF_RATE64, u64(BigInt(bytesPerSecond))),
    ),
  ]),
});

/** An interface that hands what is sent to it back to where it was taken from: a place for a queue. */
export const createIntermediate = (name: string, mtu: number): NetlinkRequest => ({
  type: RTM_NEWLINK,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  what: `create interface ${name} (ifb)`,
  accepts: [EEXIST],
  body: Buffer.concat([
    Buffer.alloc(LINK_HEADER_BYTES),
    attribute(IFLA_IFNAME, cString(name)),
    attribute(IFLA_MTU, u32(mtu)),
    attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, cString('ifb'))),
  ]),
});

/** What comes in by the interface may be looked at by filters. Idempotent. */
export const setIngressHook = (index: number): NetlinkRequest => ({
  type: RTM_NEWQDISC,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  what: `filter what interface ${index} receives (sch_ingress)`,
  accepts: [EEXIST],
  body: Buffer.concat([
    trafficHeader(index, INGRESS_HANDLE, TC_H_INGRESS),
    attribute(TCA_KIND, cString('ingress')),
  ]),
});

/**
 * All that comes in by the interface leaves by `to` first. The only filter there, under a handle of its
 * own, so that a second time changes nothing. @see tc-u32(8), tc-mirred(8)
 */
export const redirectIngress = (index: number, to: number): NetlinkRequest => ({
  type: RTM_NEWTFILTER,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  what: `redirect what interface ${index} receives (cls_u32, act_mirred)`,
  accepts: [EEXIST],
  body: Buffer.concat([
    trafficHeader(index, FILTER_HANDLE, INGRESS_HANDLE, FILTER_PRIORITY_AND_PROTOCOL),
    attribute(TCA_KIND, cString('u32')),
    attribute(
      TCA_OPTIONS,
      attribute(
        TCA_U32_ACT,
        attribute(
          FIRST_ACTION,
          attribute(TCA_ACT_KIND, cString('mirred')),
          attribute(
            TCA_ACT_OPTIONS,
            attribute(
              TCA_MIRRED_PARMS,
              ...[u32(0), u32(0), u32(TC_ACT_STOLEN), u32(0), u32(0)],
              u32(TCA_EGRESS_REDIR),
              u32(to),
            ),
          ),
        ),
      ),
      attribute(TCA_U32_SEL, matchAll()),
    ),
  ]),
});

/** `struct tcmsg` */
const trafficHeader = (index: number, handle: number, parent: number, info = 0): Buffer =>
  Buffer.concat([u8(0, 0, 0, 0), u32(index), u32(handle), u32(parent), u32(info)]);

/** `struct tc_ratespec`; what does not fit 32 bits is said in an attribute of its own. */
const rateSpec = (bytesPerSecond: number): Buffer =>
  Buffer.concat([
    u8(0, bytesPerSecond === 0 ? 0 : TC_LINKLAYER_ETHERNET, 0, 0),
    Buffer.alloc(4),
    u32(Math.min(bytesPerSecond, UINT32_MAX)),
  ]);

/** `struct tc_u32_sel` with one key that every packet has: nothing of its first word is compared. */
const matchAll = (): Buffer =>
  Buffer.concat([
    u8(TC_U32_TERMINAL, 0, 1, 0),
    Buffer.alloc(12),
    ...[u32(0), u32(0), u32(0), u32(0)],
  ]);

const UINT32_MAX = 0xffff_ffff;
const LINK_HEADER_BYTES = 16;

const RTM_NEWLINK = 16;
const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;

const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;

const TC_H_ROOT = 0xffff_ffff;
const TC_H_INGRESS = 0xffff_fff1;
/** `1:` */
const ROOT_HANDLE = 0x0001_0000;
/** `ffff:` */
const INGRESS_HANDLE = 0xffff_0000;
/** `800::800`: the first of the table that the kernel makes by itself. */
const FILTER_HANDLE = 0x8000_0800;
const ETH_P_ALL = 0x0003;
/** Priority 1; the protocol is in network order. */
const FILTER_PRIORITY_AND_PROTOCOL = (1 << 16) | u16be(ETH_P_ALL).readUInt16LE();

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TC_LINKLAYER_ETHERNET = 1;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const FIRST_ACTION = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TCA_EGRESS_REDIR = 1;
const TC_ACT_STOLEN = 4;
