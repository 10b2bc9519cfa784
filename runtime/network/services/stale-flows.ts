import { isDeepStrictEqual } from 'node:util';

import { formatIp, sameIp } from '../../../lib/net/ip';
import { type TrackedFlow } from '../netlink/conntrack';
import { joined, PROTOCOLS, type TableName } from './elements';
import { MAX_SLOTS } from './groups';
import { type Change, type Tables } from './service-tables';
import { type ServicePort } from '../../service-network';

/**
 * Pure: whether clients that go on sending datagrams may be led wrong by what the kernel remembers: their
 * endpoint has gone, or there was none, or they sent to the service before it was one.
 */
export const leavesFlows = (
  before: ServicePort | undefined,
  after: ServicePort | undefined,
): boolean => {
  if (before?.protocol !== 'udp' && after?.protocol !== 'udp') return false;
  if (before === undefined || after === undefined) return true;
  return (
    !isDeepStrictEqual(apart(before), apart(after)) ||
    hasLost(before.endpoints, after.endpoints) ||
    hasLost(before.localEndpoints, after.localEndpoints)
  );
};

/** All but which endpoints there are, if there are any. */
const apart = (service: ServicePort) => ({
  ...service,
  endpoints: service.endpoints.length > 0,
  localEndpoints: service.localEndpoints.length > 0,
});

/**
 * Pure: the flows to forget: those to a service that somebody answers who is none of its endpoints, and
 * those that are still led though `changes` have taken their service away. All others are left alone.
 */
export const staleFlows = (
  flows: readonly TrackedFlow[],
  tables: Tables,
  changes: readonly Change[],
  nodeAddresses: ReadonlySet<string>,
): readonly TrackedFlow[] => {
  const gone = new Set(
    changes.flatMap(({ table, key, after }) =>
      FRONTS.includes(table) && after === undefined ? [key] : [],
    ),
  );
  const answerers = new Map<string, ReadonlySet<string>>();
  const answerersOf = (key: string, fronts: readonly TableName[]): ReadonlySet<string> => {
    const known = answerers.get(key) ?? endpointsUnder(key, fronts, tables);
    answerers.set(key, known);
    return known;
  };
  return flows.filter((flow) => {
    if (flow.protocol !== PROTOCOLS.udp) return false;
    const target = formatIp(flow.target);
    const address = joined(target, 'udp', flow.targetPort);
    const port = joined('udp', flow.targetPort);
    const isOwn = nodeAddresses.has(target);
    const live = answerersOf(address, ['front', 'front_out']);
    const now = live.size > 0 || !isOwn ? live : answerersOf(port, ['node_port', 'node_port_out']);
    if (now.size > 0) return !now.has(joined(formatIp(flow.destination), flow.port));
    const isLed = !sameIp(flow.destination, flow.target) || flow.port !== flow.targetPort;
    const isRefused = (table: TableName, key: string) => tables.get(table)?.has(key) === true;
    return (
      isLed &&
      (gone.has(address) ||
        isRefused('rejects', address) ||
        (isOwn && (gone.has(port) || isRefused('rejects_port', port))))
    );
  });
};

const FRONTS: readonly TableName[] = ['front', 'front_out', 'node_port', 'node_port_out'];

const hasLost = (before: ServicePort['endpoints'], after: ServicePort['endpoints']): boolean => {
  const now = new Set(after.map(({ address, port }) => joined(address, port)));
  return before.some(({ address, port }) => !now.has(joined(address, port)));
};

const endpointsUnder = (
  key: string,
  fronts: readonly TableName[],
  tables: Tables,
): ReadonlySet<string> => {
  const found = new Set<string>();
  const follow = (mark: string | undefined, isPart = false): void => {
    for (let slot = 0; mark !== undefined && slot < MAX_SLOTS; slot++) {
      const at = joined(mark, slot);
      const part = isPart ? undefined : tables.get('part')?.get(at);
      const choice = tables.get('choice')?.get(at);
      const endpoint =
        choice === undefined ? tables.get('endpoint')?.get(at) : tables.get('chosen')?.get(choice);
      if (part !== undefined) follow(part, true);
      else if (endpoint !== undefined) found.add(endpoint);
      else return;
    }
  };
  for (const table of fronts) follow(tables.get(table)?.get(key));
  return found;
};
