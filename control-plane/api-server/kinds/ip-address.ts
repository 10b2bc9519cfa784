import { IP_ADDRESS_KIND } from '../../../api/kinds/ip-address';
import type { ApiObject, IpAddress } from '../../../api/types';
import type { VirtualResource } from '../../../client/virtual-resource';
import { NAME, printer, text } from '../printing/columns';
import { serveKind, type ServedKind } from './served-kind';

/** Who holds which address: answered from what the services say. */
export const ipAddressKind = (virtual: VirtualResource<IpAddress>): ServedKind => ({
  ...SERVED,
  virtual,
});

const parentOf = (object: ApiObject): string => {
  const { resource = '', namespace = '', name = '' } = (object as IpAddress).spec?.parentRef ?? {};
  return `${resource}/${namespace}/${name}`;
};

const SERVED: ServedKind = {
  ...serveKind(IP_ADDRESS_KIND, { printer: printer(NAME, text('ParentRef', parentOf)) }),
  whyReadOnly:
    'IPAddresses show which addresses the Services hold: an address comes and goes with its Service, and with nothing else',
};
