import { ipAt } from '../../lib/net/ip';
import { NetworkError } from './errors';
import { OWN_ADDRESS_OFFSET, removeOwnAddress } from './host';
import { removeFirewall } from './firewall';
import { removeForeignDrops } from './foreign-drops';
import { removeHostPorts } from './host-ports';
import { isInterfacePrefix, isSandboxInterface, shapedBy } from './names';
import { NetlinkSocket } from './netlink/socket';
import {
  decodeLink,
  decodeRoute,
  deleteLink,
  deleteRoute,
  listLinks,
  listRoutes,
  ROUTE_PROTOCOL,
} from './netlink/requests';
import { removePolicyTables } from './policy/policy-tables';
import { removeAnchor } from './services/anchor';
import { removeServices } from './services/service-rules';
import { tunnelNameOf } from './vxlan';
import { wireguardNameOf } from './wireguard/device';

/**
 * Removes the interfaces, routes and firewall tables of a pod network from the namespace this process
 * is in; the kernel goes on forwarding. Needs no state. Idempotent.
 */
export const destroyNetwork = async (interfacePrefix: string): Promise<void> => {
  if (!isInterfacePrefix(interfacePrefix)) {
    throw new NetworkError(
      'options',
      `interfacePrefix ${JSON.stringify(interfacePrefix)} is not valid`,
    );
  }
  using host = NetlinkSocket.open();
  const names = (await host.dump(listLinks())).map((message) => decodeLink(message).name);
  const ours = names.filter(
    (name) =>
      isSandboxInterface(interfacePrefix, name) ||
      shapedBy(interfacePrefix, name) !== undefined ||
      name === tunnelNameOf(interfacePrefix) ||
      name === wireguardNameOf(interfacePrefix),
  );
  await host.run(ours.map(deleteLink));
  const routes = (await host.dump(listRoutes()))
    .map(decodeRoute)
    .flatMap((route) => (route?.protocol === ROUTE_PROTOCOL ? [route] : []));
  // Of the range itself the node may have the first address.
  const own = routes.flatMap(({ type, destination }) =>
    type === 'unreachable' ? [ipAt(destination, OWN_ADDRESS_OFFSET)] : [],
  );
  await host.run(routes.map((route) => deleteRoute(route)));
  await removeOwnAddress(host, interfacePrefix, own);
  await removeFirewall(interfacePrefix);
  await removeForeignDrops(interfacePrefix);
  await removeHostPorts(interfacePrefix);
  await removePolicyTables(interfacePrefix);
  await removeAnchor(host, interfacePrefix);
  await removeServices(interfacePrefix);
};
