import { REPLICATION_CONTROLLER_KIND } from '../../../api/kinds/replication-controller';
import { REPLICAS_PRINTER } from './replica-set';
import { serveKind, WITH_SPEC } from './served-kind';

export const REPLICATION_CONTROLLER = serveKind(REPLICATION_CONTROLLER_KIND, {
  strategy: { ...WITH_SPEC, orphansByDefault: true },
  printer: REPLICAS_PRINTER,
});
