import { type BandwidthLimits } from '../pod-network';
import { findLink } from './host';
import { shaperNameOf } from './names';
import { setLink, type Link } from './netlink/requests';
import {
  createIntermediate,
  redirectIngress,
  setIngressHook,
  setTokenBucket,
  type TokenBucket,
} from './netlink/shaping-requests';
import { type NetlinkSocket } from './netlink/socket';
import { NetworkError } from './errors';

/**
 * Limits what goes through the host's end of a sandbox's link, out of the sandbox's reach: what is sent to
 * it by a token bucket on that end, what comes from it by one on an interface of its own, because what is
 * received cannot wait. The latter stays until it is deleted. Idempotent.
 * @throws NetlinkError naming the part that the kernel has not
 */
export const limitBandwidth = async (
  host: NetlinkSocket,
  hostEnd: Link,
  { ingressBitsPerSecond, egressBitsPerSecond }: BandwidthLimits,
): Promise<void> => {
  const { index, name, mtu } = hostEnd;
  if (ingressBitsPerSecond !== undefined)
    await host.run([setTokenBucket(index, bucketOf(ingressBitsPerSecond, mtu))]);
  if (egressBitsPerSecond === undefined) return;
  const shaperName = shaperNameOf(name);
  await host.run([createIntermediate(shaperName, mtu)]);
  const shaper = await findLink(host, shaperName);
  if (shaper === undefined) throw new NetworkError('attach', `${shaperName} has gone`);
  await host.run([
    setTokenBucket(shaper.index, bucketOf(egressBitsPerSecond, mtu)),
    setLink(shaper.index, { isUp: true }),
    setIngressHook(index),
    redirectIngress(index, shaper.index),
  ]);
};

/**
 * Pure. A burst of what the rate lets through between two ticks of the slowest kernel clock, and of the
 * largest packet at least: the kernel drops what is larger. What waits does so for a short time only, as
 * with upstream's plugin.
 */
export const bucketOf = (bitsPerSecond: number, mtu: number): TokenBucket => {
  const bytesPerSecond = Math.max(1, Math.floor(bitsPerSecond / 8));
  const burst = Math.max(bytesPerSecond / MIN_TICKS_PER_SECOND, MIN_BURST_BYTES, mtu + FRAME_BYTES);
  const queue = burst + (bytesPerSecond * MAX_WAIT_MS) / 1000;
  return {
    bytesPerSecond,
    burstBytes: Math.min(Math.ceil(burst), MAX_BYTES),
    queueBytes: Math.min(Math.ceil(queue), MAX_BYTES),
  };
};

const MIN_TICKS_PER_SECOND = 250;
const MIN_BURST_BYTES = 32 * 1024;
/** Of a packet beside what the interface's MTU counts. */
const FRAME_BYTES = 18;
const MAX_WAIT_MS = 25;
const MAX_BYTES = 0x7fff_ffff;
