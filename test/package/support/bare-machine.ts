import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const RELEASE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** What the package depends on or recommends, and Debian's smallest variant lacks. */
const PACKAGES = ['etcd-server', 'iproute2', 'libstdc++6', 'mount', 'nftables', 'zstd'];

/**
 * A Debian with nothing on it but what the package asks for: processes, network, mounts and files of its own on
 * this kernel. What is written there is in memory and gone with it.
 */
export class BareMachine implements AsyncDisposable {
  private constructor(
    private readonly keeper: ChildProcess,
    private readonly directory: string,
    private readonly root: string,
    private readonly pid: number,
  ) {}

  /** On the files in `debian`, which stay as they are; see `bareDebian`. */
  static async start(debian: string): Promise<BareMachine> {
    const directory = mkdtempSync('/var/tmp/dhow-bare-');
    const root = join(directory, 'machine', 'root');
    const keeper = spawn(
      'unshare',
      [
        ...['--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child=KILL'],
        ...['--propagation', 'private', 'sh', '-c', BOOT, 'sh', debian, join(directory, 'machine')],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const first = Promise.race([once(keeper.stdout, 'data'), once(keeper, 'exit')]);
    const [said] = (await first) as [unknown];
    if (!Buffer.isBuffer(said)) throw new Error(`no bare machine: ${String(said)}`);
    const children = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, 'utf8');
    return new BareMachine(keeper, directory, root, Number(children.trim()));
  }

  /** Stdout of a line of bash that has to succeed. */
  async run(line: string): Promise<string> {
    const { stdout } = await promisify(execFile)(
      'nsenter',
      [
        ...['--target', String(this.pid), '--mount', '--net', '--ipc', '--uts', '--pid', '--'],
        ...['chroot', this.root, 'env', '-i', `PATH=${PATH}`, 'HOME=/root', 'TZ=UTC'],
        ...['bash', '-c', `set -e; ${line}`],
      ],
      { timeout: COMMAND_TIMEOUT_MS, maxBuffer: 64 << 20 },
    );
    return stdout;
  }

  /** Brings a file of the host to a folder of the machine. */
  copyIn(file: string, folder: string): void {
    const target = `/proc/${this.pid}/root${join(this.root, folder)}`;
    execFileSync('cp', [file, target]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.keeper, 'exit');
    // The first process of the machine waits for its end; all others go with it.
    this.keeper.stdin?.end();
    await ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The files of such a Debian, made in `directory`. Takes a minute or two, and a mirror. */
export const bareDebian = (directory: string): string => {
  mkdirSync(directory, { recursive: true });
  const root = join(directory, RELEASE);
  const args = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, RELEASE, root, MIRROR];
  execFileSync('debootstrap', args, { stdio: 'ignore', timeout: DEBOOTSTRAP_TIMEOUT_MS });
  return root;
};

/** Files in memory above those of Debian, and in memory alone where containers have theirs: overlays do not nest. */
const BOOT = `
set -e
mkdir "$2"
mount -t tmpfs machine "$2"
mkdir "$2/written" "$2/work" "$2/root"
mount -t overlay machine -o "lowerdir=$1,upperdir=$2/written,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p var/lib/dhow
mount -t tmpfs tmpfs var/lib/dhow
ip link set lo up
hostname bare
echo ready
read end || true
`;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const COMMAND_TIMEOUT_MS = 170_000;
const DEBOOTSTRAP_TIMEOUT_MS = 15 * 60_000;
