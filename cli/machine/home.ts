import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Who asked for this, by sudo or as root. */
interface Person {
  readonly name: string;
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
}

/** Pure: the person that sudo speaks for, as passwd knows them. Undefined: nobody but root. */
export const personOf = (env: NodeJS.ProcessEnv, passwd: string): Person | undefined => {
  const { SUDO_UID: uid } = env;
  if (uid === undefined || uid === '0' || !/^\d{1,10}$/.test(uid)) return undefined;
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((each) => each[2] === uid);
  const [name, , , gid, , home] = fields ?? [];
  if (name === undefined || home === undefined || !home.startsWith('/')) return undefined;
  return { name, home, uid: Number(uid), gid: Number(gid) };
};

/**
 * Gives the kubeconfig to whoever asked, as the one that tools use by themselves, and returns where it is now. What is
 * there of another cluster stays: then, and where nothing can be written, undefined.
 */
export const giveKubeconfig = (kubeconfig: string): string | undefined => {
  const person = personOf(process.env, readFileSync('/etc/passwd', 'utf8'));
  const text = readFileSync(kubeconfig, 'utf8');
  const write = () => writeTo(person?.home ?? homedir(), text);
  try {
    return person === undefined ? write() : asPerson(person, write);
  } catch {
    return undefined;
  }
};

/** Takes it back where it is still that of this server alone. What cannot be looked at stays. */
export const takeKubeconfig = (kubeconfig: string): void => {
  if (!existsSync(kubeconfig)) return;
  const text = readFileSync(kubeconfig, 'utf8');
  const person = personOf(process.env, readFileSync('/etc/passwd', 'utf8'));
  const take = (home: string) => {
    const file = join(home, '.kube', 'config');
    if (!existsSync(file) || !isOfThisCluster(readFileSync(file, 'utf8'), text)) return;
    rmSync(file);
    rmdirSync(dirname(file));
  };
  try {
    if (person === undefined) take(homedir());
    else asPerson(person, () => take(person.home));
  } catch {
    // Others have files there, too.
  }
};

/** With no more rights than theirs: what their home leads to is their affair. */
const asPerson = <T>({ uid, gid }: Person, work: () => T): T => {
  const [rootGid, rootUid] = [process.getegid?.() ?? 0, process.geteuid?.() ?? 0];
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return work();
  } finally {
    process.seteuid?.(rootUid);
    process.setegid?.(rootGid);
  }
};

const writeTo = (home: string, text: string): string | undefined => {
  const folder = join(home, '.kube');
  const file = join(folder, 'config');
  if (existsSync(file) && !isOfThisCluster(readFileSync(file, 'utf8'), text)) return undefined;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (existsSync(file) && lstatSync(file).isSymbolicLink()) return undefined;
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};

/** Written by us before, with the certificate of then. */
const isOfThisCluster = (before: string, now: string): boolean => {
  const authorityIn = (text: string) => /"certificate-authority-data": "([^"]+)"/.exec(text)?.[1];
  const serverCount = [...before.matchAll(/certificate-authority-data/g)].length;
  return serverCount === 1 && authorityIn(before) === authorityIn(now);
};
