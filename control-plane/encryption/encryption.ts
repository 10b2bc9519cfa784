import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { openKeyFile, readKeyFile } from '../../lib/encryption-keys';
import { KeyRing } from '../store/encryption/key-ring';

export interface EncryptionOptions {
  readonly keyFile: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The keys of what is encrypted in the store, as a file says, which may change at any time: a new key
 * seals from then on. A file that is wrong is told of, and the keys that were there before go on.
 */
export class Encryption {
  private constructor(
    private readonly options: EncryptionOptions,
    readonly ring: KeyRing,
  ) {}

  /** Makes the file where there is none. @throws Error when it cannot be read, or is wrong */
  static async open(options: EncryptionOptions): Promise<Encryption> {
    const keys = await openKeyFile(options.keyFile, options.clock.now());
    return new Encryption(options, new KeyRing(keys));
  }

  /** Looks at the file again and again until `signal` aborts, and tells of a new key. */
  async follow(onNewKey: () => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    let problem: string | undefined;
    for (;;) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      if (signal.aborted) return;
      const before = problem;
      problem = await this.look(onNewKey);
      if (problem !== undefined && problem !== before)
        this.options.log.error({ err: problem }, 'the keys of secrets are not read anew');
    }
  }

  private async look(onNewKey: () => void): Promise<string | undefined> {
    const { keyFile, log } = this.options;
    try {
      const keys = await readKeyFile(keyFile);
      const former = this.ring.currentKeyId;
      this.ring.replace(keys);
      if (this.ring.currentKeyId === former) return undefined;
      log.info({ key: this.ring.currentKeyId }, 'a new key encrypts secrets');
      onNewKey();
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }
}

const LOOK_EVERY_MS = 2_000;
