import type { EtcdConnection } from './connection';
import { headKey } from './keys';

/** How far a resource has come. */
export interface Head {
  /** The last revision in which it may have changed; 0: none. */
  readonly changedRevision: number;
  /** Etcd's revision then. */
  readonly revision: number;
}

/**
 * Reads the heads of resources. Those that are asked for in one turn of the event loop share a
 * transaction: caches are freshened together, and a call to etcd costs more than what it asks.
 */
export class HeadReads {
  private waiting: Waiting[] = [];

  constructor(private readonly connection: Pick<EtcdConnection, 'ranges'>) {}

  /** Begun after this call. @throws ApiError */
  read(resource: string): Promise<Head> {
    return new Promise((resolve, reject) => {
      if (this.waiting.length === 0) setImmediate(() => this.send());
      this.waiting.push({ resource, resolve, reject });
    });
  }

  private send(): void {
    const all = this.waiting;
    this.waiting = [];
    for (let first = 0; first < all.length; first += READS_MAX)
      void this.sendTogether(all.slice(first, first + READS_MAX));
  }

  private async sendTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      const keys = batch.map(({ resource }) => ({ key: headKey(resource), keysOnly: true }));
      const { revision, ranges } = await this.connection.ranges(keys);
      for (const [index, { resolve }] of batch.entries())
        resolve({ changedRevision: ranges[index]?.kvs[0]?.modRevision ?? 0, revision });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

interface Waiting {
  readonly resource: string;
  readonly resolve: (head: Head) => void;
  readonly reject: (error: unknown) => void;
}

// etcd allows 128 operations in a transaction.
const READS_MAX = 100;
