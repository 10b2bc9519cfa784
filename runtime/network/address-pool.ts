import { type Clock } from '../../lib/clock';
import {
  formatIp,
  formatPrefix,
  ipAt,
  prefixContains,
  prefixSize,
  type IpAddress,
  type IpPrefix,
} from '../../lib/net/ip';
import { NetworkError } from './errors';

/**
 * The addresses of one node's range, one owner each. Nothing is written to disk: at start the owner
 * claims what live interfaces say is in use, so that an address can neither leak nor be given twice.
 */
export class AddressPool {
  private readonly ownerOf = new Map<bigint, string>();
  private readonly addressOf = new Map<string, IpAddress>();
  /** Released addresses and when they may be given again, oldest first. */
  private readonly heldUntilMs = new Map<bigint, number>();
  private cursor: bigint;

  constructor(
    readonly range: IpPrefix,
    private readonly clock: Clock,
    private readonly holdMs = ADDRESS_HOLD_MS,
  ) {
    this.cursor = this.first;
  }

  /** Addresses that can be in use at once. */
  get capacity(): number {
    return Math.max(0, Number(this.last - this.first) + 1);
  }

  get usedCount(): number {
    return this.ownerOf.size;
  }

  /** Who has the address now. */
  ownerOfAddress({ bits }: IpAddress): string | undefined {
    return this.ownerOf.get(bits);
  }

  /** The owner's address, a new one if it has none. @throws NetworkError when the range is used up. */
  allocate(owner: string): IpAddress {
    const existing = this.addressOf.get(owner);
    if (existing !== undefined) return existing;
    this.dropExpiredHolds();
    const bits = this.nextFree() ?? this.oldestHeld();
    if (bits === undefined) throw this.exhausted();
    const address = { ...this.range.address, bits };
    this.assign(owner, address);
    return address;
  }

  /** Records what exists. @throws NetworkError when another owner has the address. */
  claim(owner: string, address: IpAddress): void {
    const current = this.ownerOf.get(address.bits);
    if (current !== undefined && current !== owner) {
      throw new NetworkError(
        'address',
        `address ${formatIp(address)} of sandbox ${owner} already belongs to sandbox ${current}`,
      );
    }
    this.assign(owner, address);
  }

  /** Frees the owner's address after the hold, so that late packets do not reach a stranger. */
  release(owner: string): void {
    const address = this.addressOf.get(owner);
    if (address === undefined) return;
    this.addressOf.delete(owner);
    this.ownerOf.delete(address.bits);
    if (prefixContains(this.range, address)) {
      this.heldUntilMs.set(address.bits, this.clock.monotonicMs() + this.holdMs);
    }
  }

  private assign(owner: string, address: IpAddress): void {
    if (this.addressOf.get(owner)?.bits !== address.bits) this.release(owner);
    this.heldUntilMs.delete(address.bits);
    this.ownerOf.set(address.bits, owner);
    this.addressOf.set(owner, address);
  }

  /** Walks round the range, so that a released address is the last to be given again. */
  private nextFree(): bigint | undefined {
    for (let tried = 0; tried < this.capacity; tried++) {
      const address = this.cursor;
      this.cursor = address >= this.last ? this.first : address + 1n;
      if (!this.ownerOf.has(address) && !this.heldUntilMs.has(address)) return address;
    }
    return undefined;
  }

  /** The hold is a courtesy: a full range breaks it rather than refuse a pod. */
  private oldestHeld(): bigint | undefined {
    return this.heldUntilMs.keys().next().value;
  }

  private dropExpiredHolds(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [address, untilMs] of this.heldUntilMs) {
      if (untilMs > nowMs) return;
      this.heldUntilMs.delete(address);
    }
  }

  private exhausted(): NetworkError {
    return new NetworkError(
      'address',
      `no free address in pod range ${formatPrefix(this.range)}: all ${this.capacity} are in use`,
    );
  }

  /** The base and the one after it are the node's own (tunnel and gateway), the last is broadcast. */
  private get first(): bigint {
    return ipAt(this.range, 2).bits;
  }

  private get last(): bigint {
    const size = prefixSize(this.range);
    return ipAt(this.range, (size < SIZE_MAX ? size : SIZE_MAX) - 2n).bits;
  }
}

/** Longer than a client's connection retries, shorter than a crash loop's back-off. */
export const ADDRESS_HOLD_MS = 30_000;
/** More of a range is never used: what is held and in use stays countable. */
const SIZE_MAX = 1n << 32n;
