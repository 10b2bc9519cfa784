import { CSI_DRIVER_KIND } from '../../../api/kinds/csi-driver';
import { CSI_NODE_KIND } from '../../../api/kinds/csi-node';
import { CSI_STORAGE_CAPACITY_KIND } from '../../../api/kinds/csi-storage-capacity';
import { VOLUME_ATTACHMENT_KIND } from '../../../api/kinds/volume-attachment';
import type { ApiObject } from '../../../api/types';
import { AGE, count, NAME, printer, saysAt, text } from '../printing/columns';
import { listAt, textAt, valueAt } from './mutable';
import { PLAIN, serveKind, WITH_SPEC } from './served-kind';

const audiencesOf = (driver: ApiObject): string => {
  const requests = valueAt(driver, 'spec', 'tokenRequests');
  return Array.isArray(requests)
    ? requests.map((request: { audience?: string }) => request.audience ?? '').join(',')
    : '<unset>';
};

const DRIVER_PRINTER = printer(
  NAME,
  text('AttachRequired', (driver) => saysAt(driver, 'spec', 'attachRequired')),
  text('PodInfoOnMount', (driver) => saysAt(driver, 'spec', 'podInfoOnMount')),
  text('StorageCapacity', (driver) => saysAt(driver, 'spec', 'storageCapacity')),
  text('TokenRequests', audiencesOf),
  text('RequiresRepublish', (driver) => saysAt(driver, 'spec', 'requiresRepublish')),
  text('Modes', (driver) => listAt(driver, 'spec', 'volumeLifecycleModes').join(',') || '<none>'),
  AGE,
);
const NODE_PRINTER = printer(
  NAME,
  count('Drivers', (node) => listAt(node, 'spec', 'drivers').length),
  AGE,
);
const CAPACITY_PRINTER = printer(
  NAME,
  text('StorageClassName', (capacity) => textAt(capacity, 'storageClassName')),
  text('Capacity', (capacity) => textAt(capacity, 'capacity') || '<unset>'),
);
const ATTACHMENT_PRINTER = printer(
  NAME,
  text('Attacher', (attachment) => textAt(attachment, 'spec', 'attacher')),
  text('PV', (attachment) => textAt(attachment, 'spec', 'source', 'persistentVolumeName')),
  text('Node', (attachment) => textAt(attachment, 'spec', 'nodeName')),
  text('Attached', (attachment) => saysAt(attachment, 'status', 'attached')),
  AGE,
);

export const CSI_DRIVER = serveKind(CSI_DRIVER_KIND, {
  strategy: { ...PLAIN, hasGeneration: true },
  printer: DRIVER_PRINTER,
});
export const CSI_NODE = serveKind(CSI_NODE_KIND, { printer: NODE_PRINTER });
export const CSI_STORAGE_CAPACITY = serveKind(CSI_STORAGE_CAPACITY_KIND, {
  printer: CAPACITY_PRINTER,
});
export const VOLUME_ATTACHMENT = serveKind(VOLUME_ATTACHMENT_KIND, {
  strategy: { ...WITH_SPEC, hasGeneration: false },
  printer: ATTACHMENT_PRINTER,
});
