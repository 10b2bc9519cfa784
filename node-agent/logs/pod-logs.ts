import { mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { describeError, type Log } from '../../lib/log';
import { removeTree } from '../../lib/remove-tree';
import type { ContainerState } from '../../runtime/container-runtime';
import { existsAtAll, hasErrorCode, listFolder } from '../files';
import { LABEL } from '../inventory/labels';
import { FILE_NAME_MAX, type PodPaths } from '../inventory/pod-paths';

type Labelled = Pick<ContainerState, 'id' | 'labels'>;

/**
 * The folders of pods' logs. Where collectors look for them, they lie there, each noted in the agent's own
 * folder by a link, so that agents that share a machine know theirs; and each container has a link by a name
 * that tells which it is. Source: the kubelet's podLogsDir, and legacyLogSymlink of its runtime manager.
 */
export class PodLogs {
  constructor(
    private readonly paths: PodPaths,
    private readonly log: Log,
  ) {}

  /** Makes the folder of a log be there. */
  prepare(logPath: string): void {
    const folder = dirname(dirname(logPath));
    const note = join(this.paths.logRoot, basename(folder));
    // Noted first: nothing is made that nobody would remove.
    if (note !== folder) link(folder, note);
    mkdirSync(dirname(logPath), { recursive: true, mode: note === folder ? 0o750 : 0o755 });
  }

  /** Makes a container's log be found by its name. A failure is told of: the container runs anyway. */
  publish({ id, labels }: Labelled): void {
    const { containerLogsDir, podLogsDir } = this.paths;
    const logPath = labels[LABEL.logPath];
    if (containerLogsDir === undefined || podLogsDir === undefined || logPath === undefined) return;
    if (!logPath.startsWith(`${podLogsDir}/`)) return;
    try {
      link(logPath, join(containerLogsDir, linkNameOf(id, labels)));
    } catch (error) {
      this.log.warn({ container: id, err: describeError(error) }, 'a log is not published');
    }
  }

  /** Publishes what an agent that died had not, and takes away what leads nowhere any more. */
  async tidy(containers: readonly Labelled[]): Promise<void> {
    for (const container of containers) this.publish(container);
    await this.removeLinks((target) => !existsAtAll(target));
  }

  /** Removes all logs of a pod, by the name of its folder. Idempotent. */
  async remove(folder: string): Promise<void> {
    const note = join(this.paths.logRoot, folder);
    const published = targetOf(note);
    if (published !== undefined) {
      await this.removeLinks((target) => target.startsWith(`${published}/`));
      await removeTree(published);
    }
    await removeTree(note);
  }

  /** Only what leads to logs of pods: others may have links there, too. */
  private async removeLinks(isOver: (target: string) => boolean): Promise<void> {
    const { containerLogsDir, podLogsDir } = this.paths;
    if (containerLogsDir === undefined || podLogsDir === undefined) return;
    for (const name of await listFolder(containerLogsDir)) {
      const path = join(containerLogsDir, name);
      const target = targetOf(path);
      if (target?.startsWith(`${podLogsDir}/`) === true && isOver(target))
        rmSync(path, { force: true });
    }
  }
}

/** Undefined, and told why, where the folders cannot be made: logs stay with the agent then. */
export const usableLogDir = (logDir: string | undefined, log: Log): string | undefined => {
  if (logDir === undefined || logDir === '') return undefined;
  try {
    for (const name of ['pods', 'containers'])
      mkdirSync(join(logDir, name), { recursive: true, mode: 0o755 });
    return logDir;
  } catch (error) {
    log.warn({ logDir, err: describeError(error) }, 'logs are not put where collectors look');
    return undefined;
  }
};

/** `NAME_NAMESPACE_CONTAINER-ID.log`; of long names, as much as a file name may have. */
const linkNameOf = (id: string, labels: ContainerState['labels']): string => {
  const { [LABEL.podName]: pod, [LABEL.namespace]: namespace, [LABEL.container]: name } = labels;
  const readable = `${pod ?? ''}_${namespace ?? ''}_${name ?? ''}-${id}`;
  return readable.slice(0, FILE_NAME_MAX - SUFFIX.length) + SUFFIX;
};

/** Idempotent; what leads elsewhere is led here. */
const link = (target: string, path: string): void => {
  if (targetOf(path) === target) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { force: true });
  symlinkSync(target, path);
};

/** Undefined when it is no link. */
const targetOf = (path: string): string | undefined => {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'EINVAL')) return undefined;
    throw error;
  }
};

const SUFFIX = '.log';
