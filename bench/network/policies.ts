import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { silentLog } from '../../lib/log';
import { createPodNetwork } from '../../runtime/network';
import type { PacketPolicies, PacketPolicy } from '../../runtime/packet-policies';

/** Milliseconds from telling a node of a changed policy until packets go, or no longer go, among few policies and many. */
export interface PolicyTimings {
  readonly few: readonly number[];
  readonly many: readonly number[];
}

const FEW = 10;
const MANY = 1_000;
const CHANGES = 60;
const WARM_UP = 10;
const PORT = 7000;

const measure = async (namespace: string): Promise<PolicyTimings> => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  await using network = await createPodNetwork({
    ...{ podCidrs: ['10.77.0.0/16'], interfacePrefix: 'nwb', log: silentLog },
  });
  const [server, client] = [`${namespace}-server`, `${namespace}-client`];
  await network.syncPolicies(policiesOf(FEW, server, client, ''));
  const addresses: string[] = [];
  for (const pod of [server, client]) {
    execFileSync('ip', ['netns', 'add', pod]);
    const { ips } = await network.attach({ sandboxId: pod, netnsPath: `/run/netns/${pod}` });
    addresses.push(ips[0] ?? '');
  }
  const [serverIp = '', clientIp = ''] = addresses;
  const run = (pod: string, program: string) =>
    spawn('ip', ['netns', 'exec', pod, process.execPath, '-e', program, serverIp, String(PORT)]);
  const echo = run(server, ECHO);
  await once(echo.stdout, 'data');
  const asking = run(client, ASK);
  const answersMs: number[] = [];
  createInterface({ input: asking.stdout }).on('line', (line) => answersMs.push(Number(line)));
  try {
    const timings = async (count: number): Promise<readonly number[]> => {
      const times: number[] = [];
      for (let i = 0; i < CHANGES; i++) {
        const isOpen = i % 2 === 0;
        const policies = policiesOf(count, server, client, isOpen ? clientIp : '');
        answersMs.length = 0;
        const beganMs = nowMs();
        await network.syncPolicies(policies);
        await (isOpen ? firstAnswer(answersMs) : silence(answersMs));
        // Closed: the last answer, or at once.
        const seenMs = (isOpen ? answersMs[0] : answersMs.at(-1)) ?? beganMs;
        times.push(Math.max(0, seenMs - beganMs));
      }
      return times.slice(WARM_UP);
    };
    return { few: await timings(FEW), many: await timings(MANY) };
  } finally {
    echo.kill('SIGKILL');
    asking.kill('SIGKILL');
  }
};

/** One policy lets an address in to the server, or nobody; the others are about other sets of addresses. */
const policiesOf = (
  count: number,
  server: string,
  client: string,
  address: string,
): PacketPolicies => ({
  sandboxes: new Map([
    [server, { ingress: [...Array(count).keys()].map((i) => `p${i}`) }],
    [client, {}],
  ]),
  policies: new Map([...othersOf(count), ['p0', policy(address === '' ? 'nobody' : 'client')]]),
  addressSets: new Map([
    ...setsOf(count),
    ['nobody', []],
    ['client', address === '' ? [] : [address]],
  ]),
  portSets: new Map(),
  guardedAddresses: [],
});

const policy = (set: string): PacketPolicy => ({
  ingress: [{ peers: [{ set }], ports: [{ protocol: 'udp', first: PORT }] }],
  egress: [],
});

/** Those that do not change are the same objects, as on a node. */
const kept = new Map<number, { policies: [string, PacketPolicy][]; sets: [string, string[]][] }>();
const partsOf = (count: number) => {
  const found = kept.get(count) ?? {
    policies: [...Array(count).keys()].map((i): [string, PacketPolicy] => [
      `p${i}`,
      policy(`s${i}`),
    ]),
    sets: [...Array(count).keys()].map((i): [string, string[]] => [
      `s${i}`,
      [...Array(10).keys()].map((k) => `10.78.${(i * 10 + k) >> 8}.${(i * 10 + k) & 255}`),
    ]),
  };
  kept.set(count, found);
  return found;
};
const othersOf = (count: number) => partsOf(count).policies;
const setsOf = (count: number) => partsOf(count).sets;

/** Of the clock that all processes of a machine share. */
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const firstAnswer = async (answersMs: readonly number[]): Promise<void> => {
  const endMs = nowMs() + TIMEOUT_MS;
  while (answersMs.length === 0) {
    if (nowMs() > endMs) throw new Error('the policy was never in force');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** Until none has come for a while. */
const silence = async (answersMs: readonly number[]): Promise<void> => {
  const endMs = nowMs() + TIMEOUT_MS;
  for (let seen = -1; seen !== answersMs.length;) {
    if (nowMs() > endMs) throw new Error('the policy did not hold');
    seen = answersMs.length;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  }
};

const TIMEOUT_MS = 10_000;
const QUIET_MS = 60;

const ECHO = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (data, from) => socket.send(data, from.port, from.address));
socket.bind(Number(process.argv[2]), () => console.log('ready'));`;
/** A new flow each millisecond: none that was let through once is let through for that. */
const ASK = `
const dgram = require('node:dgram');
const [address, port] = process.argv.slice(1);
setInterval(() => {
  const socket = dgram.createSocket('udp4');
  socket.on('error', () => undefined);
  socket.on('message', () => console.log(Number(process.hrtime.bigint()) / 1e6));
  socket.send('x', Number(port), address);
  setTimeout(() => socket.close(), 200);
}, 1);`;

measure(process.argv[2] ?? '')
  .then((timings) => console.log(JSON.stringify(timings)))
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
