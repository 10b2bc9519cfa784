import { NetworkError } from './errors';
import { removeOwnAddress } from './host';
import { removeFirewall } from './firewall';
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
import { removePolicyTable } from './policy/policy-table';
import { removeAnchor } from './services/anchor';
import { removeServices } from './services/native';
import { tunnelNameOf } from './vxlan';

/**
 * Removes the interfaces, routes and firewall tables of a pod network from the namespace this process
 * is in; `net.ipv4.ip_forward` stays on. Needs no state. Idempotent.
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
      name === tunnelNameOf(interfacePrefix),
  );
  await host.run(ours.map(deleteLink));
  const routes = (await host.dump(listRoutes())).map(decodeRoute);
  await host.run(
    routes.flatMap((route) => (route?.protocol === ROUTE_PROTOCOL ? [deleteRoute(route)] : [])),
  );
  await removeOwnAddress(host, interfacePrefix);
  await removeFirewall(interfacePrefix);
  await removeHostPorts(interfacePrefix);
  await removePolicyTable(interfacePrefix);
  await removeAnchor(host, interfacePrefix);
  await removeServices(interfacePrefix);
};
