import { statSync } from 'node:fs';

import { describeError, type Log } from '../../lib/log';
import { readCdiDevices, readCdiSpec, resolveCdi, type CdiDevices, type SpecDevices } from './cdi';
import type { DeviceEdits } from './edits';
import type { DeviceSource } from './source';

/** A file that was seen, and what it says. */
interface SeenSpec {
  /** Another file of the same name is another one. */
  readonly identity: string;
  readonly devices: SpecDevices | Error;
}

/** The files that describe devices, as they are when they are asked for; each is read once. */
export class CdiSpecs {
  private seen: ReadonlyMap<string, SeenSpec> = new Map();
  private readonly told = new Set<string>();

  constructor(
    private readonly folders: readonly string[],
    private readonly log: Log,
  ) {}

  devices(): CdiDevices {
    const seen = new Map<string, SeenSpec>();
    const onProblem = (file: string, message: string) => {
      const text = `${file}: ${message}`;
      if (this.told.has(text) || this.told.size > TOLD_MAX) return;
      this.told.add(text);
      this.log.warn({ file, err: message }, 'a description of devices cannot be used');
    };
    const devices = readCdiDevices(this.folders, onProblem, (file) => {
      const spec = seenNow(file, this.seen.get(file));
      seen.set(file, spec);
      if (spec.devices instanceof Error) throw spec.devices;
      return spec.devices;
    });
    this.seen = seen;
    return devices;
  }

  /** @throws Error while there are no such devices */
  editsOf(names: readonly string[]): readonly DeviceEdits[] {
    return names.length === 0 ? [] : resolveCdi(names, this.devices());
  }
}

/** @throws Error when the file cannot be read, or is no more */
const seenNow = (file: string, before: SeenSpec | undefined): SeenSpec => {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
  const identity = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  if (before?.identity === identity) return before;
  try {
    return { identity, devices: readCdiSpec(file) };
  } catch (error) {
    // What could not be read may be the next time.
    if (!(error instanceof Error) || 'syscall' in error) throw error;
    return { identity, devices: error };
  }
};

/** Devices that the node's own settings count, each by its CDI name. */
export const cdiSource = (names: readonly string[], specs: CdiSpecs): DeviceSource => ({
  isGone: false,
  devices: () => {
    const devices = specs.devices();
    return new Map(
      names.map((name) => {
        const edits = devices.get(name);
        return [name, edits !== undefined && !(edits instanceof Error)];
      }),
    );
  },
  prefer: () => Promise.resolve([]),
  allocate: (ids) => {
    try {
      specs.editsOf(ids);
    } catch (error) {
      return Promise.reject(new Error(describeError(error)));
    }
    const cdiDevices = ids.map((name) => ({ name }));
    return Promise.resolve({ envs: {}, mounts: [], devices: [], cdiDevices });
  },
  preStart: () => Promise.resolve(),
});

const TOLD_MAX = 1_000;
