import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import type {
  ContainerRuntime,
  ContainerSpec,
  ProcessSpec,
  SandboxSpec,
} from '../../runtime/container-runtime';
import {
  createContainerRuntime,
  destroyEverything,
  type HandlerConfig,
} from '../../runtime/containers';
import type { RuntimeLimits } from '../../runtime/containers/limits';
import { launcherProcesses } from '../../runtime/containers/monitor-process';
import {
  containerSpec,
  readLog,
  runToEnd,
  type RuntimeHarness,
} from '../../runtime/containers/runtime-suite';

export interface RuntimeHost extends RuntimeHarness {
  readonly dir: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly cgroupParent: string;
  readonly launcherPath: string;
  /** A further process's view of the same folders. */
  reopen(): Promise<ContainerRuntime>;
}

/**
 * Builds the launcher once; quick when nothing changed. With SANITIZE=1 it checks itself. `header`: one
 * of `support`, which every source then includes.
 */
export const buildLauncher = (header?: string): string => {
  const isSanitized = process.env['SANITIZE'] !== undefined;
  const root = join(__dirname, '../..');
  const kinds = [
    'test-launcher',
    ...(isSanitized ? ['sanitized'] : []),
    ...(header ? [header] : []),
  ];
  const out = join(root, 'build', kinds.join('-'));
  const flags =
    header === undefined
      ? []
      : [`EXTRA_CFLAGS=-include ${join(__dirname, 'support', `${header}.h`)}`];
  // `make` takes SANITIZE from the environment as well.
  execFileSync('make', ['-s', '-C', join(root, 'runtime/launcher'), `OUT=${out}`, ...flags]);
  return join(out, 'dhow-launcher');
};

/** A runtime of its own on temporary folders, with busybox as the image. */
export const openRuntimeHost = async (
  more: {
    readonly logMaxBytes?: number;
    readonly logMaxFiles?: number;
    readonly launcherPath?: string;
    /** Where its folder is made; by default where all temporary ones are. */
    readonly parentDir?: string;
    readonly limits?: Partial<RuntimeLimits>;
    readonly handlers?: readonly HandlerConfig[];
    readonly sandbox?: Partial<SandboxSpec>;
  } = {},
): Promise<RuntimeHost> => {
  const { launcherPath = buildLauncher(), parentDir = tmpdir() } = more;
  const dir = mkdtempSync(join(parentDir, 'rt-'));
  const cgroupParent = `dhow-test/${basename(dir)}`;
  const options = {
    runDir: join(dir, 'run'),
    stateDir: join(dir, 'state'),
    cgroupParent,
    ...more,
    launcherPath,
  };
  const rootfs = join(dir, 'rootfs');
  makeBusybox(rootfs);
  const logDir = join(dir, 'logs');
  mkdirSync(logDir);
  const opened: ContainerRuntime[] = [];
  const reopen = async () => {
    const runtime = await createContainerRuntime(options);
    opened.push(runtime);
    return runtime;
  };
  return {
    ...options,
    dir,
    runtime: await reopen(),
    lowerDirs: [rootfs],
    logDir,
    reopen,
    close: async () => {
      for (const runtime of opened) await runtime[Symbol.asyncDispose]();
      await destroyEverything(options.runDir, cgroupParent);
      rmSync(dir, { recursive: true, force: true });
      removeEmptyParents();
    },
  };
};

/** Runs a script to its end; returns what it printed and its exit. The container stays. */
export const runScript = async (
  host: RuntimeHost,
  script: string,
  more: Partial<ContainerSpec> = {},
) => {
  const spec = containerSpec(host, `c${String(counter++)}`, script, more);
  const exit = await runToEnd(host.runtime, spec);
  const lines = readLog(spec.logPath);
  const textOf = (stream: string) =>
    lines
      .filter((line) => line.stream === stream)
      .map(({ text }) => text)
      .join('\n');
  return { exit, stdout: textOf('stdout'), stderr: textOf('stderr') };
};
let counter = 0;

/** A process of another user, with one more group. */
export const asUser = (uid: number, args: string[], cwd = '/'): ProcessSpec => ({
  args,
  env: ['PATH=/bin'],
  cwd,
  user: { uid, gid: uid, supplementalGids: [500] },
});

/** Compiles `support/NAME.c` into a layer of its own; returns it with the image's below. */
export const layersWith = (host: RuntimeHost, name: string): readonly string[] => {
  const layer = join(host.dir, `layer-${name}`);
  mkdirSync(join(layer, 'bin'), { recursive: true });
  const source = join(__dirname, 'support', `${name}.c`);
  execFileSync('gcc', ['-static', '-O1', '-o', join(layer, 'bin', name), source]);
  return [layer, ...host.lowerDirs];
};

/** @throws Error when the condition does not come true within a minute */
export const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const giveUp = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > giveUp) throw new Error(`never: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** Processes of this host's launcher and monitors that bear this name; those that end meanwhile are out. */
export const processesNamed = (
  { runDir }: Pick<RuntimeHost, 'runDir'>,
  name: 'dhow-launcher' | 'dhow-monitor' | 'dhow-execmon',
): readonly number[] => launcherProcesses(runDir).filter((pid) => processName(pid) === name);

export const processName = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
};

const makeBusybox = (rootfs: string): void => {
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'dev', 'sys', 'root']) {
    mkdirSync(join(rootfs, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  execFileSync('chroot', [rootfs, '/bin/busybox', '--install', '-s', '/bin']);
};

/** The folder above the test's own cgroups, unless another test uses it. */
const removeEmptyParents = (): void => {
  for (const controller of readdirSync('/sys/fs/cgroup')) {
    try {
      rmdirSync(join('/sys/fs/cgroup', controller, 'dhow-test'));
    } catch {
      // Not there, or not empty.
    }
  }
};
