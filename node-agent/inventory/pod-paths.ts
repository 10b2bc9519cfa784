import { join } from 'node:path';

import { nameOf, type Pod, uidOf } from '../../api/types';

/** Where the agent keeps what belongs to a pod. */
export class PodPaths {
  constructor(
    private readonly stateDir: string,
    private readonly runDir: string,
  ) {}

  /** `NAMESPACE_NAME_UID`, in the folder of logs; of a long name, as much as a file name may have. */
  logFolder(pod: Pod): string {
    const { namespace, name } = nameOf(pod);
    const uid = uidOf(pod);
    const readable = `${namespace}_${name}`.slice(0, FILE_NAME_MAX - uid.length - 1);
    return join(this.logRoot, `${readable}_${uid}`);
  }

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

/** Bytes, and of Kubernetes' names also characters. */
const FILE_NAME_MAX = 255;
