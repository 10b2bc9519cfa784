import { POD_TEMPLATE_KIND } from '../../../api/kinds/pod-template';
import { formatLabelSelector } from '../../../api/selectors';
import type { ApiObject, StoredPodTemplate } from '../../../api/types';
import { containersAt, NAME, printer, text } from '../printing/columns';
import { PLAIN, serveKind } from './served-kind';

const containers = (object: ApiObject, field: string): string =>
  containersAt(object, field, 'template', 'spec', 'containers');

const podLabels = (object: ApiObject): string =>
  formatLabelSelector({
    matchLabels: (object as StoredPodTemplate).template?.metadata?.labels ?? {},
  });

const PRINTER = printer(
  NAME,
  text('Containers', (object) => containers(object, 'name')),
  text('Images', (object) => containers(object, 'image')),
  text('Pod Labels', (object) => podLabels(object)),
);

export const POD_TEMPLATE = serveKind(POD_TEMPLATE_KIND, {
  strategy: { ...PLAIN, hasGeneration: true },
  printer: PRINTER,
});
