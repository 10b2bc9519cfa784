import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { silentLog } from '../../lib/log';
import { createPodNetwork } from '../../runtime/network';

/** Milliseconds, one per pod. */
export interface Timings {
  readonly attach: readonly number[];
  readonly detach: readonly number[];
}

/** One way of connecting pods: `attach` and `detach` by number, with the path of the namespace. */
interface Contender {
  attach(id: string, netnsPath: string): Promise<unknown>;
  detach(id: string, netnsPath: string): Promise<unknown>;
}

const PODS = 60;
const WARM_UP = 5;

const measure = async (contender: Contender, name: string): Promise<Timings> => {
  const [attach, detach]: [number[], number[]] = [[], []];
  const pods = Array.from({ length: PODS }, (_, number) => `${name}-${number}`);
  const paths = pods.map((pod) => `/run/netns/${pod}`);
  for (const pod of pods) execFileSync('ip', ['netns', 'add', pod]);
  for (const [number, pod] of pods.entries()) {
    attach.push(await timed(() => contender.attach(pod, paths[number] ?? '')));
  }
  for (const [number, pod] of pods.entries()) {
    detach.push(await timed(() => contender.detach(pod, paths[number] ?? '')));
  }
  return { attach: attach.slice(WARM_UP), detach: detach.slice(WARM_UP) };
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
};

const cni = (stateDir: string, pluginDir: string): Contender => {
  const config = JSON.stringify({
    cniVersion: '0.4.0',
    name: 'bench',
    type: 'bridge',
    bridge: 'bench0',
    isGateway: true,
    ipam: {
      type: 'host-local',
      subnet: '10.78.0.0/16',
      dataDir: stateDir,
      routes: [{ dst: '0.0.0.0/0' }],
    },
  });
  const call = (command: string) => (id: string, netnsPath: string) =>
    new Promise((resolve, reject) => {
      const env = {
        CNI_COMMAND: command,
        CNI_CONTAINERID: id,
        CNI_NETNS: netnsPath,
        CNI_IFNAME: 'eth0',
        CNI_PATH: pluginDir,
        PATH: process.env['PATH'],
      };
      const child = execFile(join(pluginDir, 'bridge'), { env }, (error, stdout) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`CNI ${command}: ${stdout}`, { cause: error }));
      });
      child.stdin?.end(config);
    });
  return { attach: call('ADD'), detach: call('DEL') };
};

const main = async (): Promise<void> => {
  const [namespace = '', stateDir = '', pluginDir = ''] = process.argv.slice(2);
  await using network = await createPodNetwork({
    podCidrs: ['10.77.0.0/16'],
    interfacePrefix: 'nwb',
    log: silentLog,
  });
  const ours = await measure(
    {
      attach: (sandboxId, netnsPath) => network.attach({ sandboxId, netnsPath }),
      detach: (sandboxId) => network.detach(sandboxId),
    },
    `${namespace}-ours`,
  );
  const peer = await measure(cni(stateDir, pluginDir), `${namespace}-cni`);
  console.log(JSON.stringify({ ours, cni: peer }));
};

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
