import {
  machineRangeIn,
  parsedRange,
  SERVICE_BITS_MAX,
  type ClusterNetwork,
} from '../../../api/cluster-network';
import { ENDPOINT_SLICES, NODES, qualifiedName, SERVICE_CIDRS } from '../../../api/resources';
import { rangesOf } from '../../../api/service-cidrs';
import type { ServiceCidr } from '../../../api/types';
import { forbidden, invalidError, type FieldError } from '../../../api/validation/field-error';
import {
  formatPrefix,
  ipOf,
  prefixContains,
  prefixesOverlap,
  widthOf,
  type IpPrefix,
} from '../../../lib/net/ip';
import type { AdmissionPlugin } from '../admission/admission-plugin';
import type { AdmissionReader } from '../admission/admission-reader';
import { isWriteOf, objectOf } from '../admission/attributes';
import { listAt, textAt } from '../kinds/mutable';

export interface ServiceRangesDeps {
  readonly network: ClusterNetwork;
  readonly reader: AdmissionReader;
}

/**
 * Keeps ranges of services away from where pods, nodes and the API are, and bounds them as the options of
 * a server are: every node leads what is sent to a range of services, so that whoever is in one could not
 * be reached any more.
 */
export const serviceRanges = ({ network, reader }: ServiceRangesDeps): AdmissionPlugin => ({
  name: 'ServiceRanges',
  handles: (asked) => isWriteOf(asked, SERVICE_CIDRS),
  validate: async (asked, signal) => {
    const object = objectOf(asked) as ServiceCidr;
    const known = new Set(asked.old && rangesOf(asked.old as ServiceCidr).map(formatPrefix));
    const ranges = rangesOf(object);
    if (ranges.every((range) => known.has(formatPrefix(range)))) return;
    const [nodes, slices] = [qualifiedName(NODES), qualifiedName(ENDPOINT_SLICES)];
    await Promise.all([nodes, slices].map((each) => reader.ready(each, signal)));
    const addresses = [
      ...reader
        .list(nodes, '')
        .flatMap((node) => listAt(node, 'status', 'addresses'))
        .map((each) => textAt(each, 'address')),
      ...reader
        .list(slices, 'default')
        .filter(({ metadata }) => metadata.labels?.[OF_SERVICE] === 'kubernetes')
        .flatMap((slice) => listAt(slice, 'endpoints'))
        .flatMap((endpoint) => listAt(endpoint, 'addresses').map(String)),
    ];
    const pods = network.podCidrs.map(parsedRange);
    const errors = ranges.flatMap((range, i) =>
      known.has(formatPrefix(range)) ? [] : rangeErrors(range, `spec.cidrs[${i}]`, pods, addresses),
    );
    if (errors.length > 0) throw invalidError(SERVICE_CIDRS, object.metadata.name, errors);
  },
});

/** Pure: why services may not have their addresses in it. */
export const rangeErrors = (
  range: IpPrefix,
  field: string,
  pods: readonly IpPrefix[],
  addresses: readonly string[],
): readonly FieldError[] => {
  const text = formatPrefix(range);
  if (widthOf(range.address) - range.length > SERVICE_BITS_MAX)
    return [
      forbidden(
        field,
        `${text} is too large: it may hold 2^${SERVICE_BITS_MAX} addresses, as a /12 of IPv4 and a /108 of IPv6 do`,
      ),
    ];
  const machines = machineRangeIn(range);
  if (machines !== undefined)
    return [forbidden(field, `${text} overlaps ${machines}, which every machine has for itself`)];
  const rival = pods.find((each) => prefixesOverlap(each, range));
  if (rival !== undefined)
    return [forbidden(field, `${text} overlaps ${formatPrefix(rival)}, where pods are`)];
  const taken = addresses.find((each) => {
    const address = ipOf(each);
    return address !== undefined && prefixContains(range, address);
  });
  return taken === undefined
    ? []
    : [forbidden(field, `${text} contains ${taken}, which is an address of a node or of the API`)];
};

const OF_SERVICE = 'kubernetes.io/service-name';
