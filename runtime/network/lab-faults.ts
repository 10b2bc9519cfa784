import { bucketOf } from './bandwidth';
import { NetworkError } from './errors';
import { ipJson, labCommand, labNft } from './lab-command';
import { bridgeNameOf, labPlaceOf, type LabPlace } from './lab';

/** What makes a node's wire a bad one. Each way, of all that passes: of the node itself and of its pods. */
export interface LabSlowness {
  /** Added to each packet's way. Needs a kernel with `sch_netem`. */
  readonly delayMs?: number;
  /** By how much the delay varies. */
  readonly jitterMs?: number;
  /** Of packets that never arrive: 0 to 100, with up to two digits behind the point. */
  readonly lossPercent?: number;
  readonly bitsPerSecond?: number;
}

/** Takes a node's wire out of the bridge: nothing passes, and neither end is told. Idempotent. */
export const unplugLabNode = async (lab: string, node: string): Promise<void> => {
  await labCommand(['ip', 'link', 'set', labPlaceOf(lab, node).wire, 'nomaster']);
};

/**
 * Drops what a node and its pods send to some of a lab, and what comes from those: `server` is this machine,
 * others are nodes, with their pods. Replaces an earlier choice. Names have to be of the lab.
 */
export const cutLabNode = async (
  lab: string,
  node: string,
  others: readonly string[],
): Promise<void> => {
  const ranges = (await Promise.all(others.map((other) => rangesOf(lab, other)))).flat();
  const drops = (direction: 'saddr' | 'daddr') =>
    ranges.map((range) => `    ${range.includes(':') ? 'ip6' : 'ip'} ${direction} ${range} drop\n`);
  await setRules(
    labPlaceOf(lab, node),
    CUT_TABLE,
    drops('saddr').join(''),
    drops('daddr').join(''),
  );
};

/** Undoes both `unplugLabNode` and `cutLabNode`. Idempotent; a node that is not there has nothing to be undone. */
export const mendLabNode = async (lab: string, node: string): Promise<void> => {
  const place = labPlaceOf(lab, node);
  await ifThere(labCommand(['ip', 'link', 'set', place.wire, 'master', bridgeNameOf(lab)]));
  await dropRules(place, CUT_TABLE);
};

/** Replaces what was asked before. @throws NetworkError that names what this kernel has not */
export const slowLabNode = async (
  lab: string,
  node: string,
  slowness: LabSlowness,
): Promise<void> => {
  const place = labPlaceOf(lab, node);
  await hurryLabNode(lab, node);
  const { lossPercent = 0 } = slowness;
  if (lossPercent > 0) {
    const rule = dropping(Math.round(lossPercent * 100));
    await setRules(place, LOSS_TABLE, rule, rule);
  }
  const queue = queueOf(slowness);
  if (queue.length === 0) return;
  for (const end of endsOf(place)) {
    try {
      await labCommand([...end.into, 'tc', 'qdisc', 'replace', 'dev', end.link, 'root', ...queue]);
    } catch (error) {
      if (!(error instanceof NetworkError) || !NO_SUCH_QUEUE.test(error.message)) throw error;
      const what =
        queue[0] === 'netem'
          ? 'sch_netem (CONFIG_NET_SCH_NETEM), by which packets are delayed'
          : 'sch_tbf (CONFIG_NET_SCH_TBF), by which rates are limited';
      // Without its cause: what tc says of it tells nobody more.
      throw new NetworkError('lab', `this kernel has no ${what}`);
    }
  }
};

/** nft takes no comparison that always holds. */
const dropping = (ofTenThousand: number): string =>
  ofTenThousand >= 10_000 ? '    drop\n' : `    numgen random mod 10000 < ${ofTenThousand} drop\n`;

/** Undoes `slowLabNode`. Idempotent; a node that is not there has nothing to be undone. */
export const hurryLabNode = async (lab: string, node: string): Promise<void> => {
  const place = labPlaceOf(lab, node);
  for (const { into, link } of endsOf(place))
    await ifThere(labCommand([...into, 'tc', 'qdisc', 'delete', 'dev', link, 'root']));
  await dropRules(place, LOSS_TABLE);
};

/** Pure. How `tc` calls the queue, or nothing when none is needed. */
const queueOf = ({ delayMs, jitterMs = 0, bitsPerSecond }: LabSlowness): readonly string[] => {
  if (delayMs !== undefined) {
    const rate = bitsPerSecond === undefined ? [] : ['rate', `${bitsPerSecond}bit`];
    return ['netem', 'limit', '100000', 'delay', `${delayMs}ms`, `${jitterMs}ms`, ...rate];
  }
  if (bitsPerSecond === undefined) return [];
  const { bytesPerSecond, burstBytes, queueBytes } = bucketOf(bitsPerSecond, MTU);
  return [
    ...['tbf', 'rate', `${bytesPerSecond}bps`],
    ...['burst', String(burstBytes), 'limit', String(queueBytes)],
  ];
};

interface WireEnd {
  readonly into: readonly string[];
  readonly link: string;
}

/** What leaves by the one comes from the node, by the other it goes to it. */
const endsOf = ({ netns, wire }: LabPlace): readonly WireEnd[] => [
  { into: ['nsenter', `--net=${netns}`], link: 'eth0' },
  { into: [], link: wire },
];

/** Addresses of a node or of this machine, and where the node's pods are. */
const rangesOf = async (lab: string, name: string): Promise<readonly string[]> => {
  const bridge = bridgeNameOf(lab);
  if (name === LAB_SERVER) return addressesOf(await ipJson('address', 'show', 'dev', bridge));
  const { netns } = labPlaceOf(lab, name);
  const into = ['-n', netns.slice(netns.lastIndexOf('/') + 1)];
  const addresses = addressesOf(await ipJson(...into, 'address', 'show', 'dev', 'eth0'));
  const routes = [
    ...(await ipJson('-4', 'route', 'show', 'dev', bridge)),
    ...(await ipJson('-6', 'route', 'show', 'dev', bridge)),
  ];
  const pods = routes.flatMap(({ dst, gateway }) =>
    typeof dst === 'string' && addresses.includes(String(gateway)) ? [dst] : [],
  );
  return [...addresses, ...pods];
};

const addressesOf = (links: readonly Record<string, unknown>[]): string[] =>
  links.flatMap(({ addr_info: addresses }) =>
    Array.isArray(addresses)
      ? (addresses as { local?: string; scope?: string }[]).flatMap(({ local, scope }) =>
          local !== undefined && scope === 'global' ? [local] : [],
        )
      : [],
  );

/** As early as what comes can be dropped, and as late as what goes. */
const setRules = async (
  { netns }: LabPlace,
  table: string,
  incoming: string,
  outgoing: string,
): Promise<void> => {
  await labNft(
    `
add table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain incoming {
    type filter hook prerouting priority raw - 1; policy accept;
    iifname != "eth0" accept
${incoming}  }
  chain outgoing {
    type filter hook postrouting priority srcnat + 1; policy accept;
    oifname != "eth0" accept
${outgoing}  }
}
`,
    netns,
  );
};

const dropRules = async ({ netns }: LabPlace, table: string): Promise<void> => {
  await ifThere(labNft(`add table inet ${table}\ndelete table inet ${table}\n`, netns));
};

const ifThere = async (work: Promise<unknown>): Promise<void> => {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof NetworkError) || !ABSENT.test(error.message)) throw error;
  }
};

/** How the machine is called that the server runs on. */
export const LAB_SERVER = 'server';

const CUT_TABLE = 'lab-cut';
const LOSS_TABLE = 'lab-loss';
const MTU = 1500;
const NO_SUCH_QUEUE = /qdisc kind is unknown|No such file or directory/;
const ABSENT =
  /Cannot find device|No such file or directory|No such device|handle of zero|Invalid handle|cannot open/;
