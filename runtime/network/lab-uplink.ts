import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { NetworkError } from './errors';
import { bridgeNameOf } from './lab';
import { shortHash } from './names';

/**
 * Lets the nodes of a lab, and their pods, reach whatever this machine reaches, behind its address:
 * images are pulled and packages installed as on any machine. From outside nothing gets in but
 * answers. Idempotent. The machine must forward as well: see `readForwarding`.
 */
export const openLabUplink = async (name: string, subnet: string): Promise<void> => {
  const bridge = bridgeNameOf(name);
  const table = tableOf(name);
  await nft(`
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
  await nft(`add table ip ${table}\ndelete table ip ${table}\n`);
};

/** Whether this machine passes packets on between its interfaces. */
export const readForwarding = (): boolean => readFileSync(FORWARDING, 'utf8').trim() === '1';

export const writeForwarding = (isOn: boolean): void => writeFileSync(FORWARDING, isOn ? '1' : '0');

const tableOf = (name: string): string => `dhow-lab-${shortHash(name, 8)}`;

const nft = async (rules: string): Promise<void> => {
  const run = promisify(execFile)('nft', ['-f', '-'], { timeout: NFT_TIMEOUT_MS });
  run.child.stdin?.end(rules);
  try {
    await run;
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    const reason = String(code) === 'ENOENT' ? 'nft is not installed (package nftables)' : stderr;
    throw new NetworkError('lab', `nft: ${reason?.trim() ?? 'failed'}`, { cause: error });
  }
};

// Source: Documentation/networking/ip-sysctl.rst, ip_forward.
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
const NFT_TIMEOUT_MS = 10_000;
