import type { DeviceSpec } from '../../runtime/container-runtime';

/** What the devices of a container change about it. */
export interface DeviceEdits {
  /** The container's own variables come after these. */
  readonly env: Readonly<Record<string, string>>;
  /** `NAME=value`, whatever the container says. */
  readonly lastEnv: readonly string[];
  readonly mounts: readonly DeviceMount[];
  readonly devices: readonly DeviceSpec[];
  readonly additionalGids: readonly number[];
}

export interface DeviceMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly isReadOnly: boolean;
}

export const NO_EDITS: DeviceEdits = {
  env: {},
  lastEnv: [],
  mounts: [],
  devices: [],
  additionalGids: [],
};

/** Of two that want the same place the first has it. */
export const mergeEdits = (edits: readonly DeviceEdits[]): DeviceEdits => ({
  env: Object.assign({}, ...edits.map(({ env }) => env)) as DeviceEdits['env'],
  lastEnv: edits.flatMap(({ lastEnv }) => lastEnv),
  mounts: firstBy(
    edits.flatMap(({ mounts }) => mounts),
    ({ containerPath }) => containerPath,
  ),
  devices: firstBy(
    edits.flatMap(({ devices }) => devices),
    ({ path }) => path,
  ),
  additionalGids: [...new Set(edits.flatMap(({ additionalGids }) => additionalGids))],
});

const firstBy = <T>(list: readonly T[], keyOf: (item: T) => string): readonly T[] => {
  const byKey = new Map<string, T>();
  for (const item of list) if (!byKey.has(keyOf(item))) byKey.set(keyOf(item), item);
  return [...byKey.values()];
};
