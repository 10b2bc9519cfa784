import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sharedCluster } from './support/shared-cluster';
import {
  deploymentYaml,
  DHOW,
  exitStatus,
  isReady,
  podYaml,
  runDhow,
  shell,
  startDhow,
} from './support/cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-commands';

const cluster = sharedCluster(NAME);

const SLEEP = ['sleep', '1000000'];

describe('dhow', () => {
  afterEach(() => cluster.clear());

  it('applies, shows, explains and deletes a pod', async () => {
    expect(
      await cluster.apply(podYaml('web', ['sh', '-c', 'echo ready; exec sleep 1000000'])),
    ).toBe('pod/web created\n');
    const pod = await cluster.podIsReady('web');
    expect(await cluster.must('get', 'pods')).toMatch(
      /^NAME +READY +STATUS +RESTARTS +AGE\nweb +1\/1 +Running +0/,
    );
    expect(await cluster.must('get', 'po', 'web', '-o', 'wide')).toContain(pod.status.podIP);
    expect(await cluster.must('get', 'pod/web', '-o', 'name')).toBe('pod/web\n');
    expect(await cluster.must('get', 'pods', 'web', '-o', 'yaml')).toMatch(
      /^apiVersion: v1\nkind: Pod\n/,
    );
    // A pod is ready once its program runs, and its events are written after its status.
    await cluster.untilSaid('ready\n', () => cluster.dhow('logs', 'web'));
    await cluster.untilSaid(/Started container main/, () => cluster.dhow('describe', 'pod', 'web'));
    const why = await cluster.must('why', 'pod/web');
    expect(why).toContain(`default/web is on ${pod.spec.nodeName ?? ''}`);
    expect(why).toContain('3 of 3 nodes fitted');
    expect(await cluster.must('decisions')).toMatch(/default\/web +1 +Scheduled/);
    const filtered = await cluster.must(
      'decisions',
      '--pod',
      'web',
      '--since',
      '1h',
      '--limit',
      '1',
    );
    expect(filtered.trim().split('\n')).toHaveLength(2);
    expect(await cluster.must('decisions', '--pod', 'nope')).not.toContain('web');
    expect((await cluster.dhow('decisions', '--since', 'soon')).stderr).toContain('not a duration');
    expect(
      await cluster.apply(podYaml('web', ['sh', '-c', 'echo ready; exec sleep 1000000'])),
    ).toBe('pod/web unchanged\n');
    expect(await cluster.must('delete', 'pod', 'web')).toBe(
      'pod "web" deleted from default namespace\n',
    );
    expect(await cluster.object('pod', 'web')).toBeUndefined();
  });

  it('passes on what a command in a container prints and how it ends', async () => {
    await cluster.apply(podYaml('shell', SLEEP));
    await cluster.podIsReady('shell');
    const failed = await cluster.dhow(
      'exec',
      'shell',
      '--',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    );
    expect(failed).toEqual({
      code: 7,
      stdout: 'out\n',
      stderr: 'err\ncommand terminated with exit code 7\n',
    });
    const piped = await cluster.dhowWith('one\ntwo\n', 'exec', '-i', 'shell', '--', 'wc', '-l');
    expect(piped.stdout.trim()).toBe('2');
    const much = await cluster.must('exec', 'shell', '--', 'head', '-c', '20000000', '/dev/zero');
    expect(much).toHaveLength(20_000_000);
    await cluster.must('delete', 'pod', 'shell');
  });

  it('tells of a pod that waits what each node lacks, and what would help', async () => {
    const huge = { resources: { requests: { cpu: '1000' } } };
    await cluster.apply(podYaml('huge', SLEEP, huge));
    const pod = await cluster.until('the condition', async () => {
      const found = await cluster.pod('huge');
      return found?.status.conditions?.[0]?.reason === 'Unschedulable' ? found : undefined;
    });
    expect(pod.status.conditions?.[0]?.message).toMatch(
      /^0\/3 nodes are available: 3 Insufficient cpu\./,
    );
    const why = await cluster.must('why', 'huge');
    expect(why).toMatch(/node-1/);
    expect(why).toMatch(/lower the cpu request/);
    expect(await cluster.must('why', 'huge', '--node', 'node-2')).not.toMatch(/node-1/);
    await cluster.must('delete', 'pod', 'huge');
  });

  it('follows changes and logs until it is interrupted', async () => {
    const watch = cluster.follow('get', 'pods', '-w');
    let seen = '';
    watch.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await cluster.apply(
      podYaml('ticker', [
        'sh',
        '-c',
        'i=0; while [ $i -lt 50 ]; do echo $i; i=$((i+1)); sleep 0.05; done; exec sleep 1000000',
      ]),
    );
    await cluster.until('the watch', async () => /ticker +1\/1 +Running/.test(seen));
    watch.kill('SIGINT');
    await once(watch, 'exit');
    const follow = cluster.follow('logs', '-f', 'ticker');
    let log = '';
    follow.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await cluster.until('the log', async () => log.includes('49\n'));
    follow.kill('SIGINT');
    await once(follow, 'exit');
    expect(log.trim().split('\n').map(Number)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    await cluster.must('delete', 'pod', 'ticker');
  });
});

describe('what is printed', () => {
  beforeAll(async () => {
    await cluster.apply(deploymentYaml('shown', 1, SLEEP));
    await cluster.until('its pod', async () => (await cluster.pods()).some(isReady));
  });

  afterAll(() => cluster.clear());

  it.each([
    ['get', 'pods'],
    ['get', 'deploy', 'shown'],
    ['get', 'deploy,pods'],
    ['get', 'nodes'],
    ['get', 'all'],
    ['why', 'deploy/shown'],
    ['decisions'],
    ['image', 'ls'],
    ['status', '--name', NAME],
  ])('comes in every format: dhow %s %s', async (...command) => {
    const columnCount = async (...more: readonly string[]) =>
      (await cluster.must(...command, ...more)).split('\n', 1).join().split(/ {2,}/).length;
    expect(await columnCount('-o', 'wide')).toBeGreaterThanOrEqual(await columnCount());
    expect(JSON.parse(await cluster.must(...command, '-o', 'json'))).toBeInstanceOf(Object);
    expect(await cluster.must(...command, '-o', 'yaml')).toMatch(/^(- )?\w+:/);
    expect(await cluster.must(...command, '-o', 'name')).toMatch(/^(\S+\n)+$/);
    expect(await cluster.dhow(...command, '-o', 'xml')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(
        'allowed formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,' +
          'jsonpath,jsonpath-file,name,template,templatefile,wide,yaml',
      ),
    });
  });

  it('is one table for several names, and what is missing after it', async () => {
    const { code, stdout, stderr } = await cluster.dhow('get', 'nodes', 'node-1', 'nope', 'node-2');
    expect(stdout).toMatch(/^NAME .*\nnode-1 .*\nnode-2 .*\n$/);
    expect(stderr).toBe('Error from server (NotFound): nodes "nope" not found\n');
    expect(code).toBe(1);
  });

  it('has no colour when it goes into a pipe', async () => {
    expect(await cluster.must('why', 'deploy/shown')).not.toContain('\u001b');
  });
});

describe('a terminal', () => {
  afterEach(() => cluster.clear());

  it('is passed through as it is, and left in order', async () => {
    await cluster.apply(podYaml('tty', SLEEP));
    await cluster.podIsReady('tty');
    const { code, stdout } = await cluster.onTerminal(
      "printf 'one\\ntwo\\n'; exit 5\n",
      ...['exec', '-it', 'tty', '--', 'sh'],
    );
    expect(stdout).toContain('one\r\ntwo\r\n');
    expect(code).toBe(5);
    await cluster.must('delete', 'pod', 'tty');
  });

  it('tells a process that was attached to of its new size', async () => {
    const script = 'while read -r _; do stty size; done';
    await cluster.apply(podYaml('sized', ['sh', '-c', script], { stdin: true, tty: true }));
    await cluster.podIsReady('sized');
    const { input, said, resize, ended } = cluster.atTerminal('attach', '-it', 'sized');
    try {
      for (const [rows, columns] of [
        [31, 97],
        [17, 61],
      ] as const) {
        await cluster.until('its size', async () => {
          if (!resize(rows, columns)) return false;
          input('\n');
          return said().includes(`${rows} ${columns}\r\n`);
        });
      }
    } finally {
      await ended();
    }
    await cluster.must('delete', 'pod', 'sized', '--grace-period=1');
  });

  it('shows colour to people', async () => {
    await cluster.apply(podYaml('seen', SLEEP));
    await cluster.podIsReady('seen');
    expect((await cluster.onTerminal('', 'why', 'seen')).stdout).toContain('\u001b[');
    await cluster.must('delete', 'pod', 'seen');
  });

  it('gets its prompt back from a command that waits for input', async () => {
    const apply = startDhow('apply', '--cluster', NAME, '-f', '-');
    const ended = exitStatus(apply);
    // It reads once its libraries are loaded, and says nothing of it. Whether the signal comes before
    // its handler or after, the shell is told the same.
    apply.stdin?.write('a: ');
    apply.kill('SIGINT');
    expect(await ended).toBe(130);
    const watch = startDhow('get', 'pods', '-w', '--cluster', NAME);
    const stopped = exitStatus(watch);
    watch.kill('SIGTERM');
    expect(await stopped).toBe(143);
  });
});

describe('help', () => {
  it.each([
    ...['up', 'down', 'status', 'kubeconfig', 'server', 'agent', 'get', 'describe', 'logs'],
    ...['apply', 'delete', 'exec', 'why', 'decisions', 'image', 'image import', 'image ls'],
  ])('dhow %s --help says what it is for, with examples', async (command) => {
    const { code, stdout } = await runDhow(...command.split(' '), '--help');
    expect(stdout).toMatch(new RegExp(`^Usage: dhow ${command} `));
    expect(stdout).toMatch(/\nExamples?:\n {2}\S/);
    expect(code).toBe(0);
    expect((await runDhow('help', ...command.split(' '))).stdout).toBe(stdout);
  });

  it.each([
    [['gte'], /unknown command 'gte'\n\(Did you mean get\?\)\nSee 'dhow --help' for usage/],
    [['get'], /^error: name a kind: /],
    [['get', 'pods', '--nosuch'], /unknown option '--nosuch'\nSee 'dhow get --help'/],
    [['image', 'import'], /missing required argument.*\nSee 'dhow image import --help'/],
    [['logs', 'x', '-A'], /unknown option '-A'/],
    [['agent'], /--server/],
    [['help', 'nosuch'], /unknown command 'nosuch'/],
    [['proxy'], /kubectl does it on this cluster:\n.* proxy \.\.\.\n$/],
  ])('dhow %j says what is wrong', async (args, message) => {
    const { code, stdout, stderr } = await runDhow(...args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

describe('bad input', () => {
  afterEach(() => cluster.clear());

  const good = podYaml('good', SLEEP);

  it.each([
    [
      'an unknown field',
      `${good}\n---\n${good.replace('"good"', '"bad"').replace('"spec":{', '"spec":{"nosuch":1,')}`,
      /STDIN:\d+: .*unknown field "spec\.nosuch"/,
    ],
    ['a wrong type', good.replace('"command":["sleep","1000000"]', '"command":"sleep"'), /command/],
    [
      'a wrong version',
      good.replace('"apiVersion":"v1"', '"apiVersion":"v9"'),
      /no matches for kind "Pod" in version "v9"/,
    ],
    [
      'a key given twice',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: "1"}\ndata: {y: "2"}\n',
      /lines 4 and 5/,
    ],
    [
      'a bad quantity',
      good.replace('"command"', '"resources":{"limits":{"memory":"64ei"}},"command"'),
      /spec\.containers\[0\]\.resources\.limits\.memory: .*parse quantity/,
    ],
    ['text that is no YAML', 'a: [1, 2\n', /error parsing STDIN/],
    ['nothing at all', '---\n---\n', /no objects/],
    [
      'a bad name',
      good.replace('"name":"good"', '"name":"Bad_Name"'),
      /metadata\.name: Invalid value: "Bad_Name"/,
    ],
    [
      'a decimal file mode',
      podYaml(
        'good',
        SLEEP,
        {},
        { volumes: [{ name: 'v', configMap: { name: 'x', defaultMode: 640 } }] },
      ),
      /must be a number between 0 and 0777/,
    ],
  ])('refuses %s and writes nothing', async (_title, manifest, message) => {
    const { code, stdout, stderr } = await cluster.dhowWith(manifest, 'apply', '-f', '-');
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(await cluster.pods()).toEqual([]);
  });

  it('reads a kubeconfig in YAML, as others write it and it prints itself', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'dhow-e2e-')), 'config');
    writeFileSync(file, await cluster.must('kubeconfig', '--name', NAME));
    try {
      const nodes = await cluster.must('get', 'nodes', '--kubeconfig', file, '-o', 'name');
      expect(nodes.trim().split('\n')).toHaveLength(3);
    } finally {
      rmSync(dirname(file), { recursive: true });
    }
  });

  it("says that a container waits, as the asker's affair", async () => {
    await cluster.apply(podYaml('waits', SLEEP).replace('busybox:1', 'nosuch:1'));
    const pod = await cluster.until('its node', async () => {
      const found = await cluster.pod('waits');
      return found?.status.containerStatuses?.[0]?.state?.waiting !== undefined && found;
    });
    expect(pod.spec.nodeName).toBeDefined();
    const { code, stderr } = await cluster.dhow('exec', 'waits', '--', 'true');
    expect(stderr).toMatch(
      /^Error from server \(BadRequest\): container "main" in pod "waits" is waiting to start: /,
    );
    expect(code).toBe(1);
  });

  it('refuses to run a node that has not joined, and leaves nothing', async () => {
    const folder = join(mkdtempSync(join(tmpdir(), 'dhow-e2e-')), 'state');
    try {
      expect(await runDhow('agent', '--server', '127.0.0.1:1', '--state-dir', folder)).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('give --token-file'),
      });
      expect(existsSync(folder)).toBe(false);
    } finally {
      rmSync(dirname(folder), { recursive: true });
    }
  });

  it('names what does not exist', async () => {
    expect(await cluster.dhow('get', 'widgets')).toMatchObject({
      code: 1,
      stderr: 'error: the server doesn\'t have a resource type "widgets"\n',
    });
    expect(await cluster.dhow('get', 'pod', 'nope')).toMatchObject({
      code: 1,
      stderr: 'Error from server (NotFound): pods "nope" not found\n',
    });
    expect((await cluster.dhow('get', 'flowschemas')).stderr).toBe(
      'error: the server doesn\'t have a resource type "flowschemas": FlowSchema is not served yet\n',
    );
    expect((await cluster.dhow('why', 'pod', 'nope')).stderr).toContain('pods "nope" not found');
    expect((await cluster.dhow('apply', '-f', '/nope.yaml')).stderr).toContain('does not exist');
    expect((await cluster.dhow('image', 'import', '/etc/passwd')).code).toBe(1);
    const rootfs = await cluster.dhow('image', 'import', '/etc/passwd', '--rootfs', '-t', 'x:1');
    expect(rootfs).toMatchObject({ code: 1, stderr: expect.stringContaining('not a tar archive') });
    expect((await cluster.dhow('exec', 'x', 'ls')).stderr).toContain('dhow exec x -- ls');
    expect((await cluster.dhow('apply', '-f', 'https://x/y')).stderr).toContain('curl -fsSL');
    expect((await cluster.dhow('get', 'pod', 'x', '-A')).stderr).toContain('across all namespaces');
  });
});

describe('apply', () => {
  afterEach(() => cluster.clear());

  const update = (labels: object, spec = {}): string =>
    podYaml('changed', SLEEP, {}, spec).replace('{"app":"changed"}', JSON.stringify(labels));

  it('names the field and the line of what a change has wrong, not the patch', async () => {
    await cluster.apply(podYaml('changed', SLEEP));
    const multiline = JSON.stringify(JSON.parse(update({}, { nosuch: 1 })), undefined, 1);
    const { code, stderr } = await cluster.dhowWith(multiline, 'apply', '-f', '-');
    const line = multiline.split('\n').findIndex((text) => text.includes('nosuch')) + 1;
    expect(stderr).toBe(
      `Error from server (Invalid): STDIN:${line}: strict decoding error: unknown field "spec.nosuch"\n`,
    );
    expect(code).toBe(1);
    const typed = await cluster.dhowWith(update({ app: true }), 'apply', '-f', '-');
    expect(typed.stderr).toMatch(/STDIN:1: json: cannot unmarshal bool .*metadata\.labels/);
    expect(typed.stderr.length).toBeLessThan(200);
  });

  it('shows in a dry run what would change, and changes nothing', async () => {
    await cluster.apply(podYaml('changed', SLEEP));
    const manifest = update({ app: 'changed', tier: 'web' });
    const server = await cluster.dhowWith(manifest, 'apply', '-f', '-', '--dry-run');
    expect(server.stdout).toMatch(/^pod\/changed configured \(server dry run\)\n/);
    expect(server.stdout).toMatch(/^ {4}\+ +tier: web$/m);
    const client = await cluster.dhowWith(manifest, 'apply', '-f', '-', '--dry-run=client');
    expect(client.stdout).toBe('pod/changed configured (dry run)\n');
    expect((await cluster.pod('changed'))?.metadata.labels).toEqual({ app: 'changed' });
  });

  it('lets a document use what an earlier one of the same input makes', async () => {
    const priority = {
      ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', value: 1000 },
      metadata: { name: 'e2e-high' },
    };
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'e2e-app' } };
    const pod = podYaml(
      'using',
      SLEEP,
      {},
      { serviceAccountName: 'e2e-app', priorityClassName: 'e2e-high' },
    );
    const input = [JSON.stringify(priority), JSON.stringify(account), pod].join('\n---\n');
    try {
      expect(await cluster.apply(input)).toBe(
        'priorityclass.scheduling.k8s.io/e2e-high created\nserviceaccount/e2e-app created\npod/using created\n',
      );
    } finally {
      await cluster.dhowWith(input, 'delete', '-f', '-', '--ignore-not-found');
    }
    const { code, stdout, stderr } = await cluster.dhowWith(
      [pod.replaceAll('e2e-app', 'e2e-other'), JSON.stringify(account)].join('\n---\n'),
      ...['apply', '-f', '-'],
    );
    expect(stderr).toContain('serviceaccount "e2e-other" not found');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  it('names every kind that is not served, at once', async () => {
    const unserved =
      'apiVersion: flowcontrol.apiserver.k8s.io/v1\nkind: FlowSchema\nmetadata: {name: a}\n';
    const input = [unserved, unserved].join('---\n');
    const { stderr } = await cluster.dhowWith(input, 'apply', '-f', '-');
    expect(stderr.trim().split('\n')).toEqual([
      'error: STDIN:1: no matches for kind "FlowSchema" in version "flowcontrol.apiserver.k8s.io/v1": it is not served yet',
      'error: STDIN:5: no matches for kind "FlowSchema" in version "flowcontrol.apiserver.k8s.io/v1": it is not served yet',
    ]);
  });
});

describe('what cannot be printed', () => {
  it('is a failure, but for a reader who has seen enough', async () => {
    const command = `'${DHOW}' get nodes -o yaml --cluster ${NAME}`;
    expect(await shell(`${command} > /dev/full`)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: stdout: ENOSPC: no space left on device, write\n',
    });
    expect(await shell(`set -o pipefail; ${command} | head -n 1`)).toEqual({
      code: 0,
      stdout: 'apiVersion: v1\n',
      stderr: '',
    });
  });
});
