import { ipBytes, type IpAddress } from '../../lib/net/ip';
import { afOf } from './netlink/wire';

/** `struct sockaddr_in` or `sockaddr_in6`: the family is in the host's order, all else in the network's. */
export const socketAddress = (ip: IpAddress, port: number): Buffer => {
  const bytes = Buffer.alloc(ip.family === 4 ? 16 : 28);
  bytes.writeUInt16LE(afOf(ip), 0);
  bytes.writeUInt16BE(port, 2);
  ipBytes(ip).copy(bytes, ip.family === 4 ? 4 : 8);
  return bytes;
};
