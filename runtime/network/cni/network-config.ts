import { z } from 'zod';

import { describeError } from '../../../lib/describe-error';
import { parseJson, stringifyJson } from '../../../lib/json';

/** Of one plugin of a chain: what it reads, but for what the runtime adds. */
export type PluginConfig = Readonly<Record<string, unknown>> & { readonly type: string };

/** A network as the administrator has written it: plugins that are called one after the other. */
export interface CniNetwork {
  readonly name: string;
  readonly cniVersion: CniVersion;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConfig[];
}

export const CNI_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof CNI_VERSIONS)[number];

/** Whether a network's plugins know what came with `since`. */
export const isSince = ({ cniVersion }: CniNetwork, since: CniVersion): boolean =>
  CNI_VERSIONS.indexOf(cniVersion) >= CNI_VERSIONS.indexOf(since);

/** Files of a folder that may hold networks, in the order in which one is looked for. */
export const networkFilesIn = (names: readonly string[]): readonly string[] =>
  names.filter((name) => /\.(conf|conflist|json)$/.test(name) && !name.startsWith('.')).sort();

/**
 * A list of plugins, or a single one (in files that do not end in `.conflist`). @throws Error that says
 * what is wrong. @see libcni/conf.go
 */
export const parseNetwork = (source: string | Uint8Array, isList: boolean): CniNetwork => {
  const what = isList ? 'error parsing configuration list' : 'error parsing configuration';
  try {
    const value = jsonOf(source);
    return isList ? networkOf(value) : networkOf(listAround(value));
  } catch (error) {
    throw new Error(`${what}: ${describeError(error)}`, { cause: error });
  }
};

/** What `parseNetwork` takes as a list, and makes the same network of. */
export const networkText = (network: CniNetwork): string => stringifyJson(network);

/** The plugins that declare a capability are told of what goes with it. */
export const hasCapability = ({ plugins }: CniNetwork, capability: string): boolean =>
  plugins.some((plugin) => isCapable(plugin, capability));

export const isCapable = ({ capabilities }: PluginConfig, capability: string): boolean =>
  typeof capabilities === 'object' &&
  capabilities !== null &&
  (capabilities as Record<string, unknown>)[capability] === true;

const jsonOf = (source: string | Uint8Array): unknown => {
  const value = parseJson(source);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('it is no object');
  return value;
};

const listAround = (value: unknown): unknown => {
  const { name, cniVersion, type } = value as Record<string, unknown>;
  if (typeof type !== 'string' || type === '')
    throw new Error("missing 'type': a list of plugins belongs in a file that ends in .conflist");
  return { name, cniVersion, plugins: [value] };
};

const networkOf = (value: unknown): CniNetwork => {
  const parsed = listSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue?.path.join('.') ?? '';
    throw new Error(`${path === '' ? '' : `${path}: `}${issue?.message ?? 'not valid'}`);
  }
  const { cniVersion, cniVersions, ...list } = parsed.data;
  return { ...list, cniVersion: newestOf([...cniVersions, cniVersion]) };
};

/** Of those that the file allows. */
const newestOf = (allowed: readonly string[]): CniVersion => {
  const newest = CNI_VERSIONS.findLast((version) => allowed.includes(version));
  if (newest !== undefined) return newest;
  const named = allowed.filter((version) => version !== '').join(', ');
  throw new Error(
    `cniVersion ${named === '' ? 'is missing' : `${named} is not supported`}: ${CNI_VERSIONS[0]} to ${CNI_VERSIONS.at(-1) ?? ''} are`,
  );
};

/** In some files it is text. */
const flag = z
  .union([z.boolean(), z.enum(['true', 'false'])])
  .default(false)
  .transform((value) => value === true || value === 'true');

const pluginSchema = z.looseObject({
  type: z
    .string("missing 'type'")
    .min(1, "missing 'type'")
    .max(255)
    .refine((type) => !type.includes('/'), 'invalid plugin name'),
});

const MAX_PLUGINS = 32;
const NAME_LENGTH_MAX = 200;

const listSchema = z.object({
  name: z
    .string('no name')
    .min(1, 'no name')
    .max(NAME_LENGTH_MAX, `no longer than ${NAME_LENGTH_MAX} characters`)
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'invalid characters in network name'),
  cniVersion: z.string().default(''),
  cniVersions: z.array(z.string()).max(64).default([]),
  disableCheck: flag,
  disableGC: flag,
  plugins: z.array(pluginSchema, "no 'plugins' key").min(1, 'no plugins in list').max(MAX_PLUGINS),
});
