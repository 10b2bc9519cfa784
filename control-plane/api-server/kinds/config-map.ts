import { CONFIG_MAP_KIND } from '../../../api/kinds/config-map';
import { AGE, count, keyCount, NAME, printer } from '../printing/columns';
import { serveKind } from './served-kind';

const PRINTER = printer(
  NAME,
  count('Data', (object) => keyCount(object, 'data') + keyCount(object, 'binaryData')),
  AGE,
);

export const CONFIG_MAP = serveKind(CONFIG_MAP_KIND, { printer: PRINTER });
