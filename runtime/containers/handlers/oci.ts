import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describeError, type Log } from '../../../lib/log';
import { removeTree } from '../../../lib/remove-tree';
import type { CgroupDriver } from '../../cgroups';
import { RuntimeError, type ExecSpec } from '../../container-runtime';
import { addMount, Tag } from '../launch-plan';
import type { RunFiles } from '../records';
import { TlvWriter } from '../tlv';
import { calledFeatures } from './features';
import type { Handler, PlannedContainer, PlannedExec } from './handler';
import { ociConfig, ociExec, stagedMounts } from './oci-config';
import type { OciTool } from './oci-tool';

export interface OciHandlerDeps {
  readonly tool: OciTool;
  readonly files: RunFiles;
  readonly cgroups: CgroupDriver;
  readonly logMaxBytes: number;
  readonly logMaxFiles: number;
  readonly log: Log;
}

/**
 * Another runtime by its command line, which is runc's. The launcher mounts the layers and the volumes
 * in a mount namespace of the container's supervisor, of which the host sees nothing, and calls the
 * program there; what that starts becomes the supervisor's child.
 */
export const ociHandler = (deps: OciHandlerDeps): Handler => {
  const { tool } = deps;
  const { name, version, path } = tool;
  return {
    info: { name, version, path, features: calledFeatures(tool.kind, version) },
    prepare: (container) => prepare(deps, container),
    exec: (container, exec) => planExec(deps, container, exec),
    signal: async (id, signalNumber, all) => {
      await tool.run(['kill', ...(all ? ['--all'] : []), id, String(signalNumber)]);
    },
    discard: (id, cgroup) => discard(deps, id, cgroup),
  };
};

const prepare = (
  { tool, files, cgroups, logMaxBytes, logMaxFiles }: OciHandlerDeps,
  { spec, sandbox, cgroup }: PlannedContainer,
): Buffer => {
  const dir = files.containerDir(spec.id);
  const layerDir = files.layerDir(spec.id);
  const stageDir = join(dir, 'stage');
  const config = ociConfig({
    ...{ spec, sandbox, cgroup, cgroups, stageDir },
    sandboxDir: files.sandboxDir(sandbox.id),
    rootfsDir: files.mountPoint,
    hasOwnKernel: tool.kind === 'runsc',
  });
  mkdirSync(stageDir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  const logPath = join(dir, 'tool.log');
  const consolePath = files.socketPath(`${spec.id}/console`);
  const console = spec.tty ? ['--console-socket', consolePath] : [];
  const pidFile = join(dir, 'pid');
  const create = ['create', '--bundle', dir, '--pid-file', pidFile, ...console, spec.id];
  const plan = new TlvWriter()
    .add(Tag.dir, dir)
    .add(Tag.socket, files.socketPath(spec.id))
    .add(Tag.log, BigInt(logMaxBytes), logMaxFiles, spec.logPath)
    .add(Tag.cgroupDir, cgroups.killDir(cgroup))
    .add(Tag.oomDir, cgroups.oomDir(cgroup))
    .add(Tag.oomGroup)
    .add(Tag.killLeftovers);
  for (const lower of spec.rootfs.lowerDirs) plan.add(Tag.lower, lower);
  plan
    .add(Tag.upper, join(layerDir, 'upper'))
    .add(Tag.work, join(layerDir, 'work'))
    .add(Tag.rootfs, files.mountPoint)
    .add(Tag.stage, stageDir);
  for (const [index, mount] of stagedMounts(spec).entries())
    if (mount.type === 'bind')
      addMount(plan, { ...mount, target: `/${index}` }, spec.security.privileged);
  if (!spec.security.privileged) plan.add(Tag.rootNodev);
  const { uid, gid, supplementalGids } = spec.process.user;
  plan.add(Tag.user, uid, gid, ...supplementalGids).add(Tag.cwd, spec.process.cwd);
  addTool(plan, tool, { args: create, logPath, pidFile, hasStdin: spec.stdin });
  for (const arg of tool.command(['start', spec.id], logPath)) plan.add(Tag.startArg, arg);
  if (spec.tty) plan.add(Tag.tty).add(Tag.console, consolePath);
  return plan.bytes();
};

const planExec = (
  { tool, files, cgroups }: OciHandlerDeps,
  { spec }: PlannedContainer,
  exec: ExecSpec,
): PlannedExec => {
  checkExec(tool, exec);
  const id = randomBytes(6).toString('hex');
  const base = join(files.containerDir(spec.id), `exec-${id}`);
  const [processFile, pidFile, logPath] = [`${base}.json`, `${base}.pid`, `${base}.log`];
  const consolePath = files.socketPath(`${spec.id}/${id}`);
  writeFileSync(processFile, JSON.stringify(ociExec(spec, exec, cgroups)), { mode: 0o600 });
  const console = exec.tty ? ['--console-socket', consolePath] : [];
  const args = [
    ...['exec', '--process', processFile, '--detach', '--pid-file', pidFile],
    ...[...console, spec.id],
  ];
  const plan = new TlvWriter();
  addTool(plan, tool, { args, logPath, pidFile, hasStdin: exec.stdin });
  if (exec.tty) plan.add(Tag.tty).add(Tag.console, consolePath);
  if (exec.timeoutMs !== undefined) plan.add(Tag.timeoutMs, BigInt(Math.ceil(exec.timeoutMs)));
  return {
    plan: plan.bytes(),
    release: () => {
      for (const path of [processFile, pidFile, logPath, consolePath])
        rmSync(path, { force: true });
    },
  };
};

const checkExec = ({ name, kind, version }: OciTool, { tty }: ExecSpec): void => {
  if (!tty || calledFeatures(kind, version).execTerminals) return;
  throw new RuntimeError(
    'exec',
    `runtime handler "${name}" (${version}) does not support terminals of further processes: ` +
      'leave out --tty',
  );
};

const addTool = (
  plan: TlvWriter,
  tool: OciTool,
  call: {
    readonly args: readonly string[];
    readonly logPath: string;
    readonly pidFile: string;
    readonly hasStdin: boolean;
  },
): void => {
  for (const arg of tool.command(call.args, call.logPath)) plan.add(Tag.arg, arg);
  for (const entry of tool.env) plan.add(Tag.env, entry);
  plan.add(Tag.pidFile, call.pidFile).add(Tag.toolLog, call.logPath);
  if (call.hasStdin) plan.add(Tag.stdin);
};

/** A state that its program cannot read any more goes as files: processes and cgroup are ours to end. */
const discard = async (
  { tool, cgroups, log }: OciHandlerDeps,
  id: string,
  cgroup: string,
): Promise<void> => {
  if (tool.statesOf(id).length === 0) return;
  await cgroups.killAll(cgroup);
  try {
    await tool.run(['delete', '--force', id]);
  } catch (error) {
    log.warn(
      { container: id, handler: tool.name, err: describeError(error) },
      'deleting its files',
    );
  }
  for (const path of tool.statesOf(id)) await removeTree(path);
  await cgroups.removeElsewhere(cgroup);
};
