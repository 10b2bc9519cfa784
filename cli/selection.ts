import type { ApiObject } from '../api/types';
import { collectFound } from './commands/found';
import type { CliContext } from './context';
import { readManifests } from './manifests';
import { namespaceFor, parseTargets, type PlacedTarget } from './targets';
import { UsageError } from './usage-error';
import type { NamedResource } from './well-known';

/** How a command that changes objects is told which. */
export interface SelectOptions {
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly all?: boolean;
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
}

/** An object as it is on the server, and its kind. */
export interface Selected {
  readonly info: NamedResource;
  readonly object: ApiObject;
}

/** What was found, and an error for what was not: told after the rest is done. */
export interface Selection {
  readonly found: readonly Selected[];
  readonly failure: Error | undefined;
}

/** The objects meant by `KIND NAME...`, `KIND/NAME...`, `-l`, `--all` or `-f`. @throws UsageError */
export const select = async (
  context: CliContext,
  args: readonly string[],
  options: SelectOptions,
): Promise<Selection> => {
  const targets = await targetsFor(context, args, options);
  const isOpen = targets.some(({ name }) => name === undefined);
  if (isOpen && !isChosen(options)) {
    throw new UsageError(
      'resource(s) were provided, but no name was specified: give a name, -l LABELS or --all',
    );
  }
  const { found, failure } = await collectFound(targets, (target) =>
    objectsOf(context, target, options),
  );
  return {
    found: found.flatMap(([{ info }, objects]) => objects.map((object) => ({ info, object }))),
    failure,
  };
};

/** What is meant by arguments, or by `-f`. @throws UsageError */
export const targetsFor = async (
  context: CliContext,
  args: readonly string[],
  { filename, recursive }: Pick<SelectOptions, 'filename' | 'recursive'>,
): Promise<readonly PlacedTarget[]> =>
  filename === undefined
    ? parseTargets(context, args)
    : targetsOfFiles(context, filename, recursive === true);

const isChosen = ({ selector, fieldSelector, all }: SelectOptions): boolean =>
  all === true || selector !== undefined || fieldSelector !== undefined;

const targetsOfFiles = async (
  context: CliContext,
  files: readonly string[],
  isRecursive: boolean,
): Promise<readonly PlacedTarget[]> => {
  const manifests = await readManifests(files, { isRecursive });
  return Promise.all(
    manifests.map(async ({ object: { apiVersion, kind, metadata } }) => {
      const { namespace, name } = metadata;
      const info = await context.resolve(kindName(apiVersion, kind));
      return { info, name, ...(namespace === undefined ? {} : { namespace }) };
    }),
  );
};

/** What `resolve` knows a manifest's kind by: `Pod.v1.`, `Deployment.v1.apps`. */
export const kindName = (apiVersion: string, kind: string): string => {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return `${kind}.${version}.${group}`;
};

const objectsOf = async (
  context: CliContext,
  { info, name, namespace: own }: PlacedTarget,
  { selector, fieldSelector }: SelectOptions,
): Promise<readonly ApiObject[]> => {
  const { client, signal } = context;
  const place = namespaceFor(context, info, own);
  if (name !== undefined) return [await client.get(info, { namespace: place, name }, signal)];
  const options = {
    namespace: place,
    ...(selector === undefined ? {} : { labelSelector: selector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
  return (await client.list(info, options, signal)).items;
};
