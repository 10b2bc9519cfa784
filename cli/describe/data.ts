import type { ConfigMap, Secret } from '../../api/types';
import { printable } from '../output/terminal';
import { headRows } from './network';
import { tabbed } from './tabbed';

/** As kubectl describes it, but for its events: every value below its key, line by line. */
export const describeConfigMap = (map: ConfigMap): string => {
  const values = inOrder(map.data).map(
    ([key, value]) => `${printable(key)}:\n----\n${printable(value)}\n\n`,
  );
  return (
    `${tabbed(headRows(map))}\nData\n====\n${values.join('')}\nBinaryData\n====\n` +
    `${inOrder(map.binaryData)
      .map(([key, value]) => `${printable(key)}: ${bytesIn(value)} bytes\n`)
      .join('')}\n`
  );
};

/** As kubectl describes it, but for the token of a service account, of which it shows all. */
export const describeSecret = (secret: Secret): string =>
  `${tabbed(headRows(secret))}\nType:  ${printable(secret.type ?? '')}\n\nData\n====\n` +
  tabbed(inOrder(secret.data).map(([key, value]) => [`${key}:`, `${bytesIn(value)} bytes`]));

const bytesIn = (base64: string): number => Buffer.from(base64, 'base64').length;

const inOrder = (
  values: Readonly<Record<string, string>> | undefined,
): readonly (readonly [string, string])[] =>
  Object.entries(values ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
