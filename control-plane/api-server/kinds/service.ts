import { SERVICE_KIND } from '../../../api/kinds/service';
import {
  dropUnneeded,
  keepAllocated,
  syncAddresses,
  type ServiceSpec,
} from '../../../api/service-fields';
import type { ApiObject, Service } from '../../../api/types';
import { AGE, NAME, orNone, printer, SELECTOR, text } from '../printing/columns';
import { listAt, numberAt, textAt } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  hasGeneration: false,
  createsOnUpdate: true,
  prepareCreate: (service) => {
    service.status = { loadBalancer: {} };
    if (service.spec !== undefined) syncAddresses(service.spec, undefined);
  },
  prepareUpdate: (service, old) => {
    const [spec, before] = [service.spec as ServiceSpec | undefined, (old as Service).spec];
    if (spec === undefined || before === undefined) return;
    keepAllocated(spec, before);
    syncAddresses(spec, before);
    dropUnneeded(spec, before);
    if (spec.type !== 'LoadBalancer') service.status = { ...service.status, loadBalancer: {} };
  },
};

/** Where it is reached from outside, as far as anybody has said so. */
const outside = (service: ApiObject): string => {
  const given = listAt(service, 'spec', 'externalIPs').map(String);
  switch (textAt(service, 'spec', 'type')) {
    case 'ExternalName':
      return textAt(service, 'spec', 'externalName');
    case 'LoadBalancer': {
      const balanced = listAt(service, 'status', 'loadBalancer', 'ingress')
        .map((each) => textAt(each, 'ip') || textAt(each, 'hostname'))
        .filter((each) => each !== '');
      const all = [...balanced, ...given];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default:
      return orNone(given.join(','));
  }
};

const ports = (service: ApiObject): string =>
  orNone(
    listAt(service, 'spec', 'ports')
      .map((port) => {
        const nodePort = numberAt(port, 'nodePort');
        const outer = nodePort === 0 ? '' : `:${nodePort}`;
        return `${numberAt(port, 'port')}${outer}/${textAt(port, 'protocol')}`;
      })
      .join(','),
  );

const PRINTER = printer(
  NAME,
  text('Type', (service) => textAt(service, 'spec', 'type')),
  text('Cluster-IP', (service) => orNone(textAt(service, 'spec', 'clusterIP'))),
  text('External-IP', outside),
  text('Port(s)', ports),
  AGE,
  SELECTOR,
);

export const SERVICE = serveKind(SERVICE_KIND, { strategy: STRATEGY, printer: PRINTER });
