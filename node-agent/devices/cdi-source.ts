import { describeError, type Log } from '../../lib/log';
import { readCdiDevices, resolveCdi, type CdiDevices } from './cdi';
import type { DeviceEdits } from './edits';
import type { DeviceSource } from './source';

/** The files that describe devices, as they are when they are asked for. */
export class CdiSpecs {
  private readonly told = new Set<string>();

  constructor(
    private readonly folders: readonly string[],
    private readonly log: Log,
  ) {}

  devices(): CdiDevices {
    return readCdiDevices(this.folders, (file, message) => {
      const text = `${file}: ${message}`;
      if (this.told.has(text) || this.told.size > TOLD_MAX) return;
      this.told.add(text);
      this.log.warn({ file, err: message }, 'a description of devices cannot be used');
    });
  }

  /** @throws Error while there are no such devices */
  editsOf(names: readonly string[]): readonly DeviceEdits[] {
    return names.length === 0 ? [] : resolveCdi(names, this.devices());
  }
}

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
