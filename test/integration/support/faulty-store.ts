import { ApiError } from '../../../api/errors';
import type { ApiObject } from '../../../api/types';
import { MemoryStore } from '../../../control-plane/store';
import type { StoreKey } from '../../../control-plane/store/store';
import { systemClock } from '../../../lib/clock';

/** How a store fares: `full` takes deletions only, `silent` answers nothing, `slow` takes 2 s. */
type Condition = 'well' | 'refusing' | 'silent' | 'full' | 'slow';

/** A store that fails as etcd does when it is away, hangs, is full, or has a slow disk. */
export class FaultyStore extends MemoryStore {
  private condition: Condition = 'well';
  private changed = new AbortController();

  become(condition: Condition): void {
    this.condition = condition;
    this.changed.abort();
    this.changed = new AbortController();
  }

  override async get(key: StoreKey, signal?: AbortSignal) {
    await this.suffer('read');
    return super.get(key, signal);
  }

  override async list(resource: string, signal?: AbortSignal) {
    await this.suffer('read');
    return super.list(resource, signal);
  }

  override async create(key: StoreKey, object: ApiObject, signal?: AbortSignal) {
    await this.suffer('write');
    return super.create(key, object, signal);
  }

  override async update(key: StoreKey, object: ApiObject, version: number, signal?: AbortSignal) {
    await this.suffer('write');
    return super.update(key, object, version, signal);
  }

  override async delete(key: StoreKey, version: number, signal?: AbortSignal) {
    await this.suffer('delete');
    return super.delete(key, version, signal);
  }

  override async progress(resource: string, signal?: AbortSignal) {
    await this.suffer('read');
    return super.progress(resource, signal);
  }

  private async suffer(operation: 'read' | 'write' | 'delete'): Promise<void> {
    switch (this.condition) {
      case 'well':
        return;
      case 'refusing':
        throw new ApiError('ServiceUnavailable', 'etcd: No connection established');
      case 'silent':
        await systemClock.sleep(SILENCE_MS, this.changed.signal);
        if (operation === 'read') throw new ApiError('ServiceUnavailable', 'etcd: no answer');
        throw new ApiError('Timeout', 'etcd gave no answer in time');
      case 'full':
        if (operation === 'write') throw new ApiError('InsufficientStorage', 'etcd is full');
        return;
      case 'slow':
        await systemClock.sleep(SLOW_MS, this.changed.signal);
    }
  }
}

const SILENCE_MS = 5_000;
const SLOW_MS = 2_000;
