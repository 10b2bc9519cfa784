import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const RELEASE = 'bookworm';
/** What the package depends on or recommends, and Debian's smallest variant lacks. */
const PACKAGES = [
  ...['etcd-server', 'iproute2', 'libstdc++6', 'mount', 'nftables', 'zstd'],
  ...['systemd-sysv', 'dbus'],
];

/**
 * A Debian with nothing on it but what the package asks for: processes, network, mounts and files of its own on
 * this kernel. What is written there is in memory and gone with it.
 */
export class BareMachine implements AsyncDisposable {
  private constructor(
    private readonly keeper: ChildProcess,
    private readonly directory: string,
    private readonly pid: number,
  ) {}

  /** On the files in `debian`, which stay as they are; see `bareDebian`. Systemd is its first process, if asked for. */
  static async start(debian: string, first: 'shell' | 'systemd' = 'shell'): Promise<BareMachine> {
    const directory = mkdtempSync('/var/tmp/dhow-bare-');
    const unshare = [
      ...['unshare', '--mount', '--net', '--ipc', '--uts', '--pid', '--cgroup', '--fork'],
      ...['--kill-child=KILL', '--propagation', 'private', 'sh', '-c', BOOT, 'sh'],
    ];
    const keeper = spawn(
      'sh',
      [
        ...['-c', ENTER_CGROUPS, 'sh', basename(directory)],
        ...[...unshare, debian, join(directory, 'machine'), first],
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const signs = Promise.race([once(keeper.stdout, 'data'), once(keeper, 'exit')]);
    const [said] = (await signs) as [unknown];
    if (!Buffer.isBuffer(said)) throw new Error(`no bare machine: ${String(said)}`);
    keeper.stdout.resume();
    const children = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, 'utf8');
    const machine = new BareMachine(keeper, directory, Number(children.trim()));
    if (first === 'systemd') await machine.run(UNTIL_BOOTED);
    return machine;
  }

  /** Stdout of a line of bash that has to succeed. */
  async run(line: string): Promise<string> {
    const { stdout } = await promisify(execFile)(
      'nsenter',
      [
        ...['--target', String(this.pid), '--mount', '--net', '--ipc', '--uts', '--pid'],
        ...['--cgroup', '--root', '--'],
        ...['env', '-i', '--chdir=/', `PATH=${PATH}`, 'HOME=/root', 'TZ=UTC'],
        ...['bash', '-c', `set -e; ${line}`],
      ],
      { timeout: COMMAND_TIMEOUT_MS, maxBuffer: 64 << 20 },
    );
    return stdout;
  }

  /** Runs a wire from here to another machine: an interface of that name at both ends, with these addresses. */
  async wireTo(
    other: BareMachine,
    name: string,
    [own, theirs]: readonly [string, string],
  ): Promise<void> {
    execFileSync('nsenter', [
      ...['--target', String(this.pid), '--net', 'ip', 'link', 'add', name, 'type', 'veth'],
      ...['peer', 'name', name, 'netns', String(other.pid)],
    ]);
    for (const [machine, address] of [
      [this, own],
      [other, theirs],
    ] as const)
      await machine.run(`ip address add ${address} dev ${name}; ip link set ${name} up`);
  }

  /** Brings a file of the host to a folder of the machine. */
  copyIn(file: string, folder: string): void {
    execFileSync('cp', [file, `/proc/${this.pid}/root${folder}`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.keeper, 'exit');
    // Its first process dies with it, and all others with that.
    this.keeper.kill('SIGKILL');
    await ended;
    execFileSync('sh', ['-c', LEAVE_CGROUPS, 'sh', basename(this.directory)]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The files of such a Debian, made in `directory`. Takes a minute or two, and a mirror. */
export const bareDebian = (directory: string): string => {
  mkdirSync(directory, { recursive: true });
  const root = join(directory, RELEASE);
  const args = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, RELEASE, root];
  execFileSync('debootstrap', args, { stdio: 'ignore', timeout: DEBOOTSTRAP_TIMEOUT_MS });
  return root;
};

const CGROUPS = `
hierarchies=$(ls -d /sys/fs/cgroup/*/)
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || hierarchies=/sys/fs/cgroup/
`;

/** A cgroup of each hierarchy is all that the machine sees of them. */
const ENTER_CGROUPS = `${CGROUPS}
name=$1
shift
for hierarchy in $hierarchies; do
  group=$hierarchy/$name
  mkdir "$group" || continue
  for file in cpuset.cpus cpuset.mems; do
    [ ! -e "$hierarchy/$file" ] || cat "$hierarchy/$file" > "$group/$file"
  done
  echo $$ > "$group/cgroup.procs"
done
exec "$@"
`;

/** Once the last process in them has gone. */
const LEAVE_CGROUPS = `${CGROUPS}
for hierarchy in $hierarchies; do
  for try in $(seq 100); do
    find "$hierarchy/$1" -depth -type d -exec rmdir {} + 2>/dev/null
    [ -e "$hierarchy/$1" ] || break
    sleep 0.1
  done
done
`;

/** Files in memory above those of Debian, and in memory alone where containers have theirs: overlays do not nest. */
const BOOT = `
set -e
mkdir "$2"
mount -t tmpfs machine "$2"
mkdir "$2/written" "$2/work" "$2/root"
mount -t overlay machine -o "lowerdir=$1,upperdir=$2/written,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p var/lib/dhow host
mount -t tmpfs tmpfs var/lib/dhow
ip link set lo up
hostname bare
# Systemd mounts the hierarchies of cgroups itself.
if [ "$3" = systemd ]; then mount -t sysfs sysfs sys; else mount --rbind /sys sys; fi
pivot_root . host
umount -l /host
echo booted
[ "$3" != systemd ] || exec env -i container=lxc /lib/systemd/systemd
while :; do sleep 1000; done
`;

/** Debian's etcd, which Dhow does not use, may have failed there. */
const UNTIL_BOOTED =
  'until systemctl is-system-running 2>/dev/null | grep -qE "running|degraded"; do sleep 0.2; done';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const COMMAND_TIMEOUT_MS = 170_000;
const DEBOOTSTRAP_TIMEOUT_MS = 15 * 60_000;
