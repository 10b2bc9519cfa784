import type { Container } from '../../api/types';
import type { ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { CONFIG_MAPS, SECRETS } from '../../api/resources';
import { printable } from '../output/terminal';
import { select } from '../selection';
import { splitChanges } from '../targets';
import { UsageError } from '../usage-error';
import { parseKeyValues, type KeyValueChanges } from './key-values';
import { changeContainers, containersOf, isNamed, type ContainerPatch } from './set-template';

export interface SetEnvOptions extends ChangeOptions {
  readonly containers?: string;
  readonly list?: boolean;
  readonly overwrite?: boolean;
  readonly from?: string;
  readonly prefix?: string;
}

/** Sets and removes variables of containers' environments: `A=1`, `B-`, or all of a config map. */
export const setEnv = async (
  context: CliContext,
  args: readonly string[],
  options: SetEnvOptions,
): Promise<void> => {
  const { targets, changes: given } = splitChanges(args, 'environment', options);
  if (options.list === true && given.length === 0) return list(context, targets, options);
  const imported = options.from === undefined ? [] : await variablesOf(context, options);
  if (given.length === 0 && imported.length === 0) {
    throw new UsageError('at least one environment variable must be provided');
  }
  const changes: KeyValueChanges =
    given.length === 0 ? { set: new Map(), removed: new Set() } : parseKeyValues(given, 'label');
  const { containers = '*' } = options;
  await changeContainers(context, targets, options, 'env updated', (container) => {
    if (!isNamed(container, containers)) return undefined;
    if (options.overwrite === false) refuseOccupied(container, changes);
    return envPatch(container, changes, imported);
  });
};

type Variable = NonNullable<Container['env']>[number];

const envPatch = (
  { env = [] }: Container,
  { set, removed }: KeyValueChanges,
  imported: readonly Variable[],
): ContainerPatch | undefined => {
  const gone = [...removed].filter((name) => env.some((each) => each.name === name));
  const wanted = [
    // What took its value from elsewhere has it no more: a variable has one source.
    ...[...set].map(([name, value]) => ({ name, value, valueFrom: null })),
    ...imported.map((variable) => ({ ...variable, value: null })),
    ...gone.map((name) => ({ name, $patch: 'delete' })),
  ];
  return wanted.length === 0 ? undefined : { env: wanted };
};

const refuseOccupied = ({ env = [] }: Container, { set }: KeyValueChanges): void => {
  const taken = env.find(({ name, value }) => set.has(name) && set.get(name) !== value);
  if (taken === undefined) return;
  throw new UsageError(
    `'${taken.name}' already has a value (${taken.value ?? ''}), and --overwrite is false`,
  );
};

/** The keys of `configmap/NAME` or `secret/NAME`, as variables that refer to them. */
const variablesOf = async (
  context: CliContext,
  { from = '', prefix = '' }: SetEnvOptions,
): Promise<readonly Variable[]> => {
  const { found, failure } = await select(context, [from], {});
  if (failure !== undefined) throw failure;
  return found.flatMap(({ info, object }) => {
    const { data = {}, metadata } = object as typeof object & { readonly data?: object };
    const source =
      info.kind === CONFIG_MAPS.kind
        ? 'configMapKeyRef'
        : info.kind === SECRETS.kind
          ? 'secretKeyRef'
          : undefined;
    if (source === undefined)
      throw new UsageError(`unsupported resource specified in --from: ${from}`);
    return Object.keys(data).map((key) => ({
      name: `${prefix}${key.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`,
      valueFrom: { [source]: { name: metadata.name, key } },
    }));
  });
};

const list = async (
  context: CliContext,
  targets: readonly string[],
  options: SetEnvOptions,
): Promise<void> => {
  const { found, failure } = await select(context, targets, options);
  for (const { info, object } of found) {
    for (const [{ name, env = [] }] of containersOf(object)) {
      context.terminal.out.write(`# ${info.kind} ${object.metadata.name}, container ${name}\n`);
      for (const variable of env) context.terminal.out.write(`${printable(lineOf(variable))}\n`);
    }
  }
  if (failure !== undefined) throw failure;
};

const lineOf = ({ name, value = '', valueFrom }: Variable): string => {
  const { configMapKeyRef, secretKeyRef, fieldRef } = valueFrom ?? {};
  if (configMapKeyRef !== undefined)
    return `# ${name} from configmap ${configMapKeyRef.name ?? ''}, key ${configMapKeyRef.key}`;
  if (secretKeyRef !== undefined)
    return `# ${name} from secret ${secretKeyRef.name ?? ''}, key ${secretKeyRef.key}`;
  if (fieldRef !== undefined) return `# ${name} from field path ${fieldRef.fieldPath}`;
  return valueFrom === undefined ? `${name}=${value}` : `# ${name} from elsewhere`;
};
