/** One mount as a process sees it. */
export interface MountFacts {
  readonly target: string;
  readonly type: string;
  /** Within the file system that is mounted: of a bind mount, the folder or file. */
  readonly root: string;
  readonly source: string;
  /** Of the mount and of its file system: either keeps writers out. */
  readonly isReadOnly: boolean;
  readonly options: readonly string[];
  readonly propagation: 'private' | 'shared' | 'slave' | 'unbindable';
}

/** Pure: reads `/proc/PID/mountinfo`, and passes over what is no mount. Source: proc_pid_mountinfo(5). */
export const parseMountTable = (text: string, countMax: number): readonly MountFacts[] =>
  text
    .split('\n', countMax)
    .map(mountOf)
    .filter((mount) => mount !== undefined);

const mountOf = (line: string): MountFacts | undefined => {
  const [ahead = '', behind = ''] = line.split(' - ', 2);
  const [, , , root, target, options, ...tags] = ahead.split(' ');
  const [type, source, superOptions = ''] = behind.split(' ');
  if (root === undefined || target === undefined || options === undefined) return undefined;
  if (type === undefined || source === undefined) return undefined;
  const flags = options.split(',');
  return {
    target: unescape(target),
    type,
    root: unescape(root),
    source: unescape(source),
    isReadOnly: flags.includes('ro') || superOptions.split(',').includes('ro'),
    options: flags,
    propagation: propagationOf(tags),
  };
};

const propagationOf = (tags: readonly string[]): MountFacts['propagation'] => {
  if (tags.some((tag) => tag.startsWith('shared:'))) return 'shared';
  if (tags.some((tag) => tag.startsWith('master:'))) return 'slave';
  return tags.includes('unbindable') ? 'unbindable' : 'private';
};

/** Blanks and backslashes are written as three octal digits. */
const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
