import { lstatSync } from 'node:fs';
import { join } from 'node:path';

import { nameOf, type Pod, uidOf } from '../../api/types';

/** Where the agent keeps what belongs to a pod. */
export class PodPaths {
  constructor(
    private readonly stateDir: string,
    private readonly runDir: string,
    /** Where log collectors look: `pods` and `containers` are in it. Undefined: this node has no such place. */
    private readonly logDir?: string,
  ) {}

  /** In the folder where collectors look, if there is one; a pod that has its logs elsewhere keeps them there. */
  logFolder(pod: Pod): string {
    const name = this.logFolderName(pod);
    const own = join(this.logRoot, name);
    return this.podLogsDir === undefined || isFolder(own) ? own : join(this.podLogsDir, name);
  }

  /** `NAMESPACE_NAME_UID`; of a long name, as much as a file name may have. */
  logFolderName(pod: Pod): string {
    const { namespace, name } = nameOf(pod);
    const uid = uidOf(pod);
    const readable = `${namespace}_${name}`.slice(0, FILE_NAME_MAX - uid.length - 1);
    return `${readable}_${uid}`;
  }

  get podLogsDir(): string | undefined {
    return this.logDir === undefined ? undefined : join(this.logDir, 'pods');
  }

  get containerLogsDir(): string | undefined {
    return this.logDir === undefined ? undefined : join(this.logDir, 'containers');
  }

  /** The agent's own: one entry a pod, the logs themselves or a link to them. */
  get logRoot(): string {
    return join(this.stateDir, 'logs');
  }

  logPath(pod: Pod, container: string, restartCount: number): string {
    return join(this.logFolder(pod), container, `${restartCount}.log`);
  }

  /** Where everything lies that the node lends a pod's containers to write to: it is of bounded size. */
  lentFolder(uid: string): string {
    return join(this.runDir, 'pods', uid, 'lent');
  }

  /** hosts, hostname, resolv.conf of a pod. */
  etcFolder(uid: string): string {
    return join(this.lentFolder(uid), 'etc');
  }

  terminationMessage(uid: string, container: string, restartCount: number): string {
    return join(this.lentFolder(uid), 'termination', `${container}-${restartCount}`);
  }

  get seccompProfiles(): string {
    return join(this.stateDir, 'seccomp');
  }
}

/** Links are none. */
const isFolder = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Bytes, and of Kubernetes' names also characters. */
export const FILE_NAME_MAX = 255;
