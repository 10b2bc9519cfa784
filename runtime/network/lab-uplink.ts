import { readFileSync, writeFileSync } from 'node:fs';
import { bridgeNameOf } from './lab';
import { labNft } from './lab-command';
import { shortHash } from './names';

/**
 * Lets the nodes of a lab, and their pods, reach whatever this machine reaches, behind its address:
 * images are pulled and packages installed as on any machine. From outside nothing gets in but
 * answers. Idempotent. The machine must forward as well: see `readForwarding`.
 */
export const openLabUplink = async (name: string, subnet: string): Promise<void> => {
  const bridge = bridgeNameOf(name);
  const table = tableOf(name);
  await labNft(`
add table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "${bridge}" accept
    oifname "${bridge}" ct state established,related accept
    oifname "${bridge}" drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
  }
}
`);
};

/** Idempotent. */
export const closeLabUplink = async (name: string): Promise<void> => {
  const table = tableOf(name);
  await labNft(`add table ip ${table}\ndelete table ip ${table}\n`);
};

/** Whether this machine passes packets on between its interfaces. */
export const readForwarding = (): boolean => readFileSync(FORWARDING, 'utf8').trim() === '1';

export const writeForwarding = (isOn: boolean): void => writeFileSync(FORWARDING, isOn ? '1' : '0');

const tableOf = (name: string): string => `dhow-lab-${shortHash(name, 8)}`;

// Source: Documentation/networking/ip-sysctl.rst, ip_forward.
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
