import { suspectsOf, tellDrops } from './foreign-chains';
import { type NftChain } from './netlink/nft-watch';

const chain = (family: NftChain['family'], table: string, name: string, more = {}): NftChain => ({
  ...{ family, table, name, hook: undefined, drops: false },
  ...more,
});
const forward = (family: NftChain['family'], table: string, name: string, drops = false) =>
  chain(family, table, name, { hook: 'forward', drops });

const DOCKER = [forward('ip', 'filter', 'FORWARD', true), chain('ip', 'filter', 'DOCKER-USER')];
const FIREWALLD = [forward('inet', 'firewalld', 'filter_FORWARD')];
const OURS = [forward('ip', 'dhow-dh-policy', 'forwarded', true)];
const CIDR = '10.42.0.0/16';

const told = (...chains: readonly NftChain[]) => tellDrops(4, suspectsOf(chains, 4), [CIDR]);

it.each<[string, readonly NftChain[], string, string]>([
  [
    'Docker',
    DOCKER,
    'chain FORWARD of table ip filter',
    `iptables -I DOCKER-USER -s ${CIDR} -j ACCEPT && iptables -I DOCKER-USER -d ${CIDR} -j ACCEPT`,
  ],
  [
    'iptables',
    DOCKER.slice(0, 1),
    'chain FORWARD of table ip filter',
    `iptables -I FORWARD -s ${CIDR} -j ACCEPT && iptables -I FORWARD -d ${CIDR} -j ACCEPT`,
  ],
  [
    'ufw',
    [DOCKER[0]!, chain('ip', 'filter', 'ufw-user-forward')],
    'chain FORWARD of table ip filter',
    `ufw route allow from ${CIDR} && ufw route allow to ${CIDR}`,
  ],
  [
    'firewalld',
    FIREWALLD,
    'chain filter_FORWARD of table inet firewalld',
    `firewall-cmd --permanent --zone=trusted --add-source=${CIDR} && firewall-cmd --reload`,
  ],
  [
    'an administrator',
    [forward('inet', 'guard', 'fwd', true)],
    'chain fwd of table inet guard',
    `nft insert rule inet guard fwd ip saddr ${CIDR} accept && nft insert rule inet guard fwd ip daddr ${CIDR} accept`,
  ],
  [
    'rules that nft does not show',
    [],
    'rules that nft does not show (iptables-legacy -S FORWARD lists them)',
    `iptables-legacy -I FORWARD -s ${CIDR} -j ACCEPT && iptables-legacy -I FORWARD -d ${CIDR} -j ACCEPT`,
  ],
])('names %s, and the command', (_who, chains, who, command) => {
  expect(told(...OURS, ...chains)).toBe(
    `Packets from pods or to them that this node should pass on are dropped by ${who}. To let them pass: ${command}`,
  );
});

it('names all that drop what they do not know, and those that may only where there is no other', () => {
  const mild = forward('ip', 'mild', 'fwd');
  expect(told(...DOCKER, ...FIREWALLD, mild)).toMatch(
    /by chain FORWARD of table ip filter or chain filter_FORWARD of table inet firewalld\. .*DOCKER-USER.* && firewall-cmd/,
  );
  expect(told(mild)).toContain('by chain fwd of table ip mild.');
});

it('goes by the family, and takes for ip6 its own tool', () => {
  const six = [forward('ip6', 'filter', 'FORWARD', true), ...DOCKER];
  expect(tellDrops(6, suspectsOf(six, 6), ['fd42::/48'])).toMatch(
    /by chain FORWARD of table ip6 filter\. .*: ip6tables -I FORWARD -s fd42::\/48 -j ACCEPT && ip6tables/,
  );
});

it('puts no name into a command that would be more than a name', () => {
  const text = told(forward('ip', 'a;reboot', '$(reboot)\n', true));
  expect(text).toContain('nft insert rule ip a?reboot ??reboot?? ip saddr');
});
