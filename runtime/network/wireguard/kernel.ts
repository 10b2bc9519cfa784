import { constants } from 'node:os';
import { NetworkError } from '../errors';
import { NETLINK_GENERIC, NetlinkError, NetlinkSocket } from '../netlink/socket';
import { wireguardFamily } from './device';

/**
 * Asks the kernel for WireGuard, which loads its module if it has one.
 * @throws NetworkError that says what is missing and what to do
 */
export const requireWireguard = async (): Promise<void> => {
  using socket = NetlinkSocket.open(NETLINK_GENERIC);
  try {
    await wireguardFamily(socket);
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== constants.errno.ENOENT) throw error;
    throw new NetworkError('options', NO_WIREGUARD, { cause: error });
  }
};

const NO_WIREGUARD =
  'nodes cannot encrypt what they send each other: this kernel has no WireGuard (CONFIG_WIREGUARD, module ' +
  'wireguard). Install a kernel that has it and load it (modprobe wireguard), or start all agents without ' +
  '--node-encryption wireguard';
