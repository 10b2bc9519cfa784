import { LIMIT_RANGE_KIND } from '../../../api/kinds/limit-range';
import { CREATED_AT, NAME, printer } from '../printing/columns';
import { serveKind } from './served-kind';

export const LIMIT_RANGE = serveKind(LIMIT_RANGE_KIND, { printer: printer(NAME, CREATED_AT) });
