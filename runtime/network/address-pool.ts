import { type Clock } from '../../lib/clock';
import { NetworkError } from './errors';
import { cidrContains, cidrSize, formatCidr, formatIpv4, type Ipv4Cidr } from './ipv4';

/**
 * The addresses of one node's range, one owner each. Nothing is written to disk: at start the owner
 * claims what live interfaces say is in use, so that an address can neither leak nor be given twice.
 */
export class AddressPool {
  private readonly ownerOf = new Map<number, string>();
  private readonly addressOf = new Map<string, number>();
  /** Released addresses and when they may be given again, oldest first. */
  private readonly heldUntilMs = new Map<number, number>();
  private cursor: number;

  constructor(
    private readonly cidr: Ipv4Cidr,
    private readonly clock: Clock,
    private readonly holdMs = ADDRESS_HOLD_MS,
  ) {
    this.cursor = this.firstAddress;
  }

  /** Addresses that can be in use at once. */
  get capacity(): number {
    return Math.max(0, this.lastAddress - this.firstAddress + 1);
  }

  get usedCount(): number {
    return this.ownerOf.size;
  }

  /** Who has the address now. */
  ownerOfAddress(address: number): string | undefined {
    return this.ownerOf.get(address);
  }

  /** The owner's address, a new one if it has none. @throws NetworkError when the range is used up. */
  allocate(owner: string): number {
    const existing = this.addressOf.get(owner);
    if (existing !== undefined) return existing;
    this.dropExpiredHolds();
    const address = this.nextFree() ?? this.oldestHeld();
    if (address === undefined) throw this.exhausted();
    this.assign(owner, address);
    return address;
  }

  /** Records what exists. @throws NetworkError when another owner has the address. */
  claim(owner: string, address: number): void {
    const current = this.ownerOf.get(address);
    if (current !== undefined && current !== owner) {
      throw new NetworkError(
        'address',
        `address ${formatIpv4(address)} of sandbox ${owner} already belongs to sandbox ${current}`,
      );
    }
    this.assign(owner, address);
  }

  /** Frees the owner's address after the hold, so that late packets do not reach a stranger. */
  release(owner: string): void {
    const address = this.addressOf.get(owner);
    if (address === undefined) return;
    this.addressOf.delete(owner);
    this.ownerOf.delete(address);
    if (cidrContains(this.cidr, address)) {
      this.heldUntilMs.set(address, this.clock.monotonicMs() + this.holdMs);
    }
  }

  private assign(owner: string, address: number): void {
    if (this.addressOf.get(owner) !== address) this.release(owner);
    this.heldUntilMs.delete(address);
    this.ownerOf.set(address, owner);
    this.addressOf.set(owner, address);
  }

  /** Walks round the range, so that a released address is the last to be given again. */
  private nextFree(): number | undefined {
    for (let tried = 0; tried < this.capacity; tried++) {
      const address = this.cursor;
      this.cursor = address >= this.lastAddress ? this.firstAddress : address + 1;
      if (!this.ownerOf.has(address) && !this.heldUntilMs.has(address)) return address;
    }
    return undefined;
  }

  /** The hold is a courtesy: a full range breaks it rather than refuse a pod. */
  private oldestHeld(): number | undefined {
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
      `no free address in pod range ${formatCidr(this.cidr)}: all ${this.capacity} are in use`,
    );
  }

  /** The base and the one after it are the node's own (tunnel and gateway), the last is broadcast. */
  private get firstAddress(): number {
    return this.cidr.base + 2;
  }

  private get lastAddress(): number {
    return this.cidr.base + cidrSize(this.cidr) - 2;
  }
}

/** Longer than a client's connection retries, shorter than a crash loop's back-off. */
export const ADDRESS_HOLD_MS = 30_000;
