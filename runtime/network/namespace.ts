import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

/**
 * Does `work` in the network namespace pinned at a path; `undefined` when the kernel does not let us in,
 * with its error number. No await is in `work`: nothing else may run on the main thread while it stands
 * in a pod's namespace, nor any thread be born there. A thread that cannot return must not go on.
 */
export const inNamespace = <T>(netnsPath: string, work: () => T): Entered<T> => {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const target = openSync(netnsPath, 'r');
    try {
      if (setns(target, CLONE_NEWNET) !== 0) return { errno: koffi.errno() };
      try {
        return { result: work() };
      } finally {
        if (setns(home, CLONE_NEWNET) !== 0) process.abort();
      }
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(home);
  }
};

export type Entered<T> =
  { readonly result: T; readonly errno?: undefined } | { readonly errno: number };

const setns = koffi.load(null).func('int setns(int, int)') as (fd: number, type: number) => number;

const CLONE_NEWNET = 0x40000000;
