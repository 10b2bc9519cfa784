import { createHash } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

interface Pin {
  readonly owner: string;
  readonly chainIds: readonly string[];
}

/**
 * Who uses which snapshots. One small file per owner, so that pinning costs the same however many
 * there are. Written without a flush: a container does not survive the power cut that loses its pin.
 * Written in one go: on the way to a running container, each wait for a worker thread costs more.
 */
export class Pins {
  private readonly byOwner = new Map<string, ReadonlySet<string>>();

  private constructor(private readonly dir: string) {}

  static async open(dir: string): Promise<Pins> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const pins = new Pins(dir);
    for (const name of await readdir(dir)) {
      const pin = await readPin(join(dir, name));
      if (pin === undefined) await rm(join(dir, name), { force: true });
      else pins.byOwner.set(pin.owner, new Set(pin.chainIds));
    }
    return pins;
  }

  add(owner: string, chainIds: readonly string[]): void {
    const all = new Set([...(this.byOwner.get(owner) ?? []), ...chainIds]);
    this.byOwner.set(owner, all);
    const pin: Pin = { owner, chainIds: [...all] };
    writeFileSync(`${this.pathOf(owner)}.tmp`, JSON.stringify(pin), { mode: 0o600 });
    renameSync(`${this.pathOf(owner)}.tmp`, this.pathOf(owner));
  }

  remove(owner: string): void {
    if (!this.byOwner.delete(owner)) return;
    rmSync(this.pathOf(owner), { force: true });
  }

  owners(): readonly string[] {
    return [...this.byOwner.keys()];
  }

  holds(chainId: string): boolean {
    for (const chainIds of this.byOwner.values()) if (chainIds.has(chainId)) return true;
    return false;
  }

  private pathOf(owner: string): string {
    return join(this.dir, createHash('sha256').update(owner).digest('hex'));
  }
}

const readPin = async (path: string): Promise<Pin | undefined> => {
  try {
    return path.endsWith('.tmp') ? undefined : (JSON.parse(await readFile(path, 'utf8')) as Pin);
  } catch {
    return undefined;
  }
};
