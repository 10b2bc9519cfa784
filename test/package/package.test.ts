import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bareDebian, BareMachine } from './support/bare-machine';

const ROOT = join(__dirname, '..', '..');
const MEBIBYTE = 1 << 20;
/** `DHOW_BARE_DEBIAN` names a folder that `debootstrap` has filled before. */
const { DHOW_BARE_DEBIAN } = process.env;

describe('a package', () => {
  let directory = '';
  let debian = '';
  let image = '';

  const packageFiles = (folder: string): readonly string[] =>
    readdirSync(join(directory, folder)).map((name) => join(directory, folder, name));
  const packageEnding = (ending: string): string =>
    packageFiles('first').find((file) => file.endsWith(ending)) ?? `none ends in ${ending}`;

  beforeAll(() => {
    directory = mkdtempSync('/var/tmp/dhow-package-');
    for (const folder of ['first', 'second'])
      execFileSync(process.execPath, [
        join(ROOT, 'scripts/package.mjs'),
        ...['--out', join(directory, folder)],
      ]);
    debian = DHOW_BARE_DEBIAN ?? bareDebian(directory);
    image = join(directory, 'image.tar.gz');
    execFileSync(join(ROOT, 'deploy/make-image.sh'), [image]);
  }, 30 * 60_000);

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('is the same, byte for byte, when it is built again', () => {
    const sums = (folder: string) =>
      packageFiles(folder).map((file) =>
        createHash('sha256').update(readFileSync(file)).digest('hex'),
      );
    expect(sums('first')).toHaveLength(2);
    expect(sums('second')).toEqual(sums('first'));
  });

  it('is smaller than 60 MiB', () => {
    for (const file of packageFiles('first'))
      expect(statSync(file).size).toBeLessThan(60 * MEBIBYTE);
  });

  it('is installed by dpkg alone where there is neither Node nor a compiler, runs, and goes', async () => {
    await using machine = await BareMachine.start(debian);
    expect(await machine.run('command -v node npm gcc cc make || echo none')).toBe('none\n');
    machine.copyIn(packageEnding('.deb'), '/tmp/dhow.deb');
    machine.copyIn(image, '/tmp/image.tar.gz');
    const before = await machine.run(ALL_FILES);
    await machine.run('dpkg -i /tmp/dhow.deb');
    expect(await machine.run('dpkg --verify dhow')).toBe('');
    expect(await machine.run('dhow version')).toMatch(/^dhow \d+\.\d+\.\d+\n$/);
    await runsPods(machine, 'dhow');
    expect(await machine.run('cat /etc/dhow/agent.yaml')).toContain('#server: ');
    await machine.run('dpkg -P dhow');
    expect(await machine.run(ALL_FILES)).toBe(before);
  });

  it('becomes a server and a node under systemd by what the guide says', async () => {
    await using machine = await BareMachine.start(debian, 'systemd');
    const deb = basename(packageEnding('.deb'));
    machine.copyIn(packageEnding('.deb'), `/root/${deb}`);
    machine.copyIn(image, '/root/image.tar.gz');
    await machine.run(
      'ip link add eth0 type veth peer name out0; ip address add 10.0.0.1/24 dev eth0; ' +
        'ip link set eth0 up; ip link set out0 up',
    );
    const said = await machine.run(`cd; ${commandsOf('docs/guides/install.md').join('\n')}`);
    expect(said).toMatch(/^\S+ +Ready .*dhow/m);
    const admin = 'export KUBECONFIG=/var/lib/dhow/server/admin.kubeconfig';
    const until = (line: string) =>
      machine.run(`${admin}; timeout 90 bash -c 'until ${line}; do sleep 0.5; done'`);
    await until('dhow get nodes --no-headers | grep " Ready "');
    await machine.run(
      `${admin}; dhow image import /root/image.tar.gz --rootfs -t dhow.local/busybox:1; ` +
        'dhow run kept --image dhow.local/busybox:1 --image-pull-policy IfNotPresent -- sleep 1000',
    );
    await until('dhow get pod kept --no-headers | grep "1/1 *Running *0 "');
    const started = 'cat /proc/[0-9]*/stat | grep "(sleep)" | cut -d" " -f1,22';
    const before = await machine.run(`${admin}; dhow exec kept -- sh -c '${started}'`);
    const pids = 'systemctl show -P MainPID dhow-server dhow-agent';
    const services = await machine.run(pids);
    await machine.run(`dpkg -i /root/${deb}`);
    expect(await machine.run(pids)).not.toBe(services);
    expect(await machine.run('systemctl is-active dhow-server dhow-agent')).toBe(
      'active\nactive\n',
    );
    // It has said that it is ready, and connects to the server from then on.
    await until('dhow exec kept -- true');
    expect(await machine.run(`${admin}; dhow exec kept -- sh -c '${started}'`)).toBe(before);
    await machine.run('dpkg -r dhow');
    expect(await machine.run('systemctl is-active dhow-server || true')).toBe('inactive\n');
  });

  it('runs from wherever the archive is unpacked, by a link to its command', async () => {
    await using machine = await BareMachine.start(debian);
    machine.copyIn(packageEnding('.tar.gz'), '/tmp/dhow.tar.gz');
    machine.copyIn(image, '/tmp/image.tar.gz');
    await machine.run('mkdir "/opt/some where"; tar -C "/opt/some where" -xzf /tmp/dhow.tar.gz');
    await machine.run('ln -s "/opt/some where"/dhow-*/bin/dhow /usr/local/bin/its-name');
    expect(await machine.run('its-name version')).toMatch(/^dhow /);
    await runsPods(machine, 'its-name');
  });
});

/** What the page has a reader type. */
const commandsOf = (page: string): readonly string[] =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```sh\n([^]*?)^```$/gm)].map(
    ([, commands = '']) => commands,
  );

/** Brings a cluster up and down; between, a Deployment of the examples that come along serves its page. */
const runsPods = async (machine: BareMachine, dhow: string): Promise<void> => {
  const admin = 'export KUBECONFIG=/var/lib/dhow/bare/server/admin.kubeconfig';
  await machine.run(`${dhow} up --name bare --nodes 2`);
  try {
    await machine.run(
      `${dhow} image import /tmp/image.tar.gz --rootfs -t dhow.local/busybox:1 --cluster bare`,
    );
    await machine.run(`${admin}; ${dhow} apply -f ${examplesOf(dhow)}/02-deployment.yaml`);
    await machine.run(
      `${admin}; ${dhow} wait --for=condition=Available deployment/web --timeout=90s`,
    );
    const pods = await machine.run(`${admin}; ${dhow} get pods --no-headers`);
    expect(pods).toMatch(/^(web-\S+ +1\/1 +Running .*\n){3}$/);
    const page = `${admin}; ${dhow} exec deploy/web -- wget -qO- http://127.0.0.1:8080/`;
    expect(await machine.run(page)).not.toBe('');
  } finally {
    await machine.run(`${dhow} down --name bare`);
  }
};

const examplesOf = (dhow: string) =>
  `"$(dirname "$(readlink -f "$(command -v ${dhow})")")/../../share/doc/dhow/examples"`;
/** What a package may leave is what dpkg notes of it. */
const ALL_FILES = "find / -xdev -not -path '/var/lib/dpkg*' -not -path '/var/log/*' | sort";
