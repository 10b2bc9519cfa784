import { SERVICE_ACCOUNT_KIND } from '../../../api/kinds/service-account';
import { serveKind } from './served-kind';

export const SERVICE_ACCOUNT = serveKind(SERVICE_ACCOUNT_KIND);
