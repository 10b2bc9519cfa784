import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bareDebian, BareMachine } from './support/bare-machine';

const ROOT = join(__dirname, '..', '..');
/** `DHOW_BARE_DEBIAN` names a folder that `debootstrap` has filled before, and `DHOW_DEB` a package made before. */
const { DHOW_BARE_DEBIAN, DHOW_DEB } = process.env;

// Two machines that boot, and a package that is installed on both.
jest.setTimeout(15 * 60_000);

describe('a machine', () => {
  let directory = '';
  let debian = '';
  let image = '';
  let deb = '';

  beforeAll(() => {
    directory = mkdtempSync('/var/tmp/dhow-machine-');
    deb = DHOW_DEB ?? packageIn(directory);
    image = join(directory, 'image.tar.gz');
    execFileSync(join(ROOT, 'deploy/make-image.sh'), [image]);
    debian = DHOW_BARE_DEBIAN ?? bareDebian(directory);
  }, 30 * 60_000);

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const withPackage = async (): Promise<BareMachine> => {
    const machine = await BareMachine.start(debian, 'systemd');
    machine.copyIn(deb, '/tmp/dhow.deb');
    machine.copyIn(image, '/tmp/image.tar.gz');
    // As VirtualBox has it: the way out is the same everywhere.
    await machine.run(
      'ip link add eth0 type veth peer name out0; ip address add 10.0.2.15/24 dev eth0; ' +
        'ip link set eth0 up; ip link set out0 up; ip route add default via 10.0.2.2',
    );
    return machine;
  };

  it('becomes a server by init and a node by join, and after uninstall is what it was', async () => {
    await using server = await withPackage();
    await using node = await withPackage();
    await server.wireTo(node, 'eth1', ['192.168.56.10/24', '192.168.56.11/24']);
    await node.run('hostname node-1');
    for (const machine of [server, node]) await machine.run(UNTIL_ADDRESSED);
    const before = [await server.run(STATE), await node.run(STATE)];
    for (const machine of [server, node]) await machine.run('dpkg -i /tmp/dhow.deb');

    const said = await server.run('dhow init');
    expect(said).toContain('server:     https://192.168.56.10:6443\n');
    expect(said).toMatch(/^node: +\S+ is Ready$/m);
    expect(await server.run('dhow get nodes --no-headers -o wide')).toMatch(
      /Ready .*192\.168\.56\.10/,
    );
    const pid = 'systemctl show -P MainPID dhow-server';
    const running = await server.run(pid);
    expect(await server.run('dhow init 2>&1')).toContain('dhow-server.service runs already');
    expect(await server.run(pid)).toBe(running);
    expect(await server.run('stat -c %a /root/.kube/config /etc/dhow/server.yaml')).toBe(
      '600\n644\n',
    );
    expect(await server.run('dhow certs check')).toMatch(/^server .*Good/m);
    expect(await server.run('dhow doctor -o json')).toContain('"check": "disk-speed"');

    const token = (await server.run('dhow token create --uses 1 --description rack')).trim();
    const join = `echo ${token} | dhow join 192.168.56.10 --token-file -`;
    expect(await node.run(join)).toBe('node node-1 is Ready\n');
    expect(await server.run('dhow get node node-1 --no-headers -o wide')).toMatch(
      /^node-1 +Ready .*192\.168\.56\.11/,
    );
    expect(await server.run('dhow token list')).toMatch(/UsedUp .* 1\/1 +rack$/m);
    expect(await server.run('dhow get secrets -n kube-system -o yaml')).not.toContain(
      Buffer.from(token.slice(-16)).toString('base64'),
    );
    const refused =
      'if dhow join 192.168.56.10 --node-name x --rejoin --token-file - 2>&1; then false; fi';
    expect(await node.run(`echo ${token} | { ${refused}; }`)).toContain('is used up, by node-1');

    await server.run(
      'dhow image import /tmp/image.tar.gz --rootfs -t dhow.local/busybox:1; ' +
        'dhow run kept --image dhow.local/busybox:1 --image-pull-policy IfNotPresent ' +
        `--overrides '{"spec":{"nodeName":"node-1"}}' -- sh -c 'trap "exit 0" TERM; sleep 1000 & wait'; ` +
        'dhow wait --for=condition=Ready pod/kept --timeout=120s',
    );
    expect(await node.run('! dhow uninstall </dev/null 2>&1')).toContain('--yes');
    for (const [index, machine] of [node, server].entries()) {
      await machine.run('dhow uninstall --yes');
      await machine.run('dpkg -P dhow');
      expect(await machine.run(STATE)).toBe(before[1 - index]);
    }
  });

  it('is left as it is where something stands in the way', async () => {
    await using machine = await withPackage();
    await machine.run('dpkg -i /tmp/dhow.deb; rm /usr/bin/etcd');
    const files =
      'sha256sum /etc/dhow/*; ls -A /var/lib/dhow; systemctl is-enabled dhow-server || true';
    const before = await machine.run(files);
    const said = await machine.run('! dhow init 2>&1');
    expect(said).toContain('error (etcd): there is none on PATH\n    apt-get install');
    expect(await machine.run('! dhow doctor 2>&1')).toContain('this machine is not fit: etcd');
    expect(await machine.run('! dhow join 10.0.2.99 --token-file /dev/null 2>&1')).toContain(
      'invalid join token',
    );
    expect(await machine.run(files)).toBe(before);
  });
});

const packageIn = (directory: string): string => {
  execFileSync(process.execPath, [join(ROOT, 'scripts/package.mjs'), '--out', directory]);
  const name = readdirSync(directory).find((each) => each.endsWith('.deb'));
  if (name === undefined) throw new Error('no .deb was made');
  return join(directory, name);
};

/** The kernel gives each link an address of its own, a while after it is up, and a route once it knows it to be unique. */
const UNTIL_ADDRESSED =
  'for link in eth0 out0 eth1; do ' +
  'until ip -6 -o address show dev $link -tentative | grep -q fe80; do sleep 0.1; done; done';

/** Files, links, routes, rules, settings, mounts, cgroups, services: all that could tell of what was here. */
const STATE = [
  "find / -xdev -not -path '/var/lib/dpkg*' -not -path '/var/log/*' -not -path '/var/lib/systemd*' " +
    "-not -path '/var/cache/*' -not -path '/var/tmp/*' | sort",
  'ls -A /var/log /var/lib/dhow',
  "ip -o link | cut -d' ' -f2",
  'ip route show table all | sort; ip -6 route show table all | grep -v fe80 | sort',
  'nft list ruleset',
  'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding',
  "cut -d' ' -f5 /proc/self/mountinfo | grep -v /run/ | sort",
  "find /sys/fs/cgroup -name '*dhow*'",
  "systemctl list-unit-files 'dhow*' --no-legend || true",
  'grep -al dhow /proc/[0-9]*/comm || true',
].join('; ');
