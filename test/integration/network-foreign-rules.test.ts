import { inNetns, NetnsLab, pings } from './network/netns';
import { pairIn } from './network/pairs';

let lab: NetnsLab;
beforeEach(() => {
  lab = new NetnsLab();
});
afterEach(async () => {
  await lab.dispose();
});

const pair = async () => {
  const found = await pairIn(lab);
  const { a, peerB, podB, ipA } = found;
  await a.call('syncPeers', [{ ...peerB, isUnreachable: false }]);
  const told = () => a.call<readonly string[]>('foreignDrops');
  /** Each of some packets. */
  const isHeard = () => [1, 2, 3, 4].map(() => pings(podB, ipA)).every((one) => one);
  expect(await told()).toEqual([]);
  return { ...found, told, isHeard };
};

it('tells who else drops what a node passes on, and the command that lets it pass does so', async () => {
  const { nsA, told, isHeard } = await pair();
  expect(isHeard()).toBe(true);
  expect(await told()).toEqual([]);
  inNetns(nsA, 'nft', 'add table inet guard');
  inNetns(
    nsA,
    'nft',
    'add chain inet guard passing { type filter hook forward priority 0; policy drop; }',
  );
  // Our tables are made anew once others have changed something.
  expect(await told()).toEqual([]);
  expect(isHeard()).toBe(false);
  const [message = '', ...more] = await told();
  expect(more).toEqual([]);
  expect(message).toContain(
    'dropped by chain passing of table inet guard. To let them pass: nft insert',
  );
  inNetns(nsA, 'sh', '-c', message.split('pass: ')[1]!);
  expect(isHeard()).toBe(true);
  expect(await told()).toEqual([]);
});

it('says nothing of what policies drop, nor of others’ rules that drop nothing', async () => {
  const { nsA, a, told, isHeard } = await pair();
  inNetns(nsA, 'nft', 'add table ip filter');
  inNetns(
    nsA,
    'nft',
    'add chain ip filter FORWARD { type filter hook forward priority 0; policy accept; }',
  );
  expect(isHeard()).toBe(true);
  expect(await told()).toEqual([]);
  await a.call('syncPolicies', {
    ...{ sandboxes: { pa: { ingress: [] } }, policies: {} },
    ...{ addressSets: {}, portSets: {}, guardedAddresses: [] },
  });
  expect(isHeard()).toBe(false);
  expect(await told()).toEqual([]);
});

it('leaves nothing', async () => {
  const { nsA, a } = await pair();
  expect(inNetns(nsA, 'nft', 'list', 'tables')).toContain('-foreign');
  await a.call('destroy');
  expect(inNetns(nsA, 'nft', 'list', 'tables')).toBe('');
});
