import type { ConnectOptions, CliContext } from '../context';
import { recordedClusters } from '../cluster-paths';
import { configPaths } from '../context';
import { entriesOf } from '../config/entries';
import { readConfig } from '../config/file';
import { PODS, pathOf } from '../../api/resources';
import { queryOf } from '../../client/rest-client';
import type { ApiObject } from '../../api/types';
import { WELL_KNOWN } from '../well-known';
import { namespaceFor } from '../targets';
import type { Candidate, Wanted } from './wanted';

/** What the server, or this machine, knows that fits. May throw, and take its time. */
export const candidatesOf = async (
  wanted: Wanted,
  options: ConnectOptions,
  reach: () => Promise<CliContext>,
): Promise<readonly Candidate[]> => {
  switch (wanted.is) {
    case 'words':
      return wanted.words;
    case 'others':
      return [];
    case 'clusters':
      return recordedClusters().map((word) => ({ word }));
    case 'contexts':
      return entriesOf(await readConfig(configPaths(options)), 'contexts').map(({ name }) => ({
        word: name,
      }));
    case 'kinds':
      return (await kindNames(reach)).map((name) => ({ word: wanted.before + name }));
    case 'names':
      return (await namesOf(await reach(), wanted.kind)).map((name) => ({
        word: wanted.before + name,
      }));
    case 'containers':
      return (await containersOf(await reach(), wanted.pod)).map((word) => ({ word }));
  }
};

/** The kinds that can be listed; those that every server has where none answers. */
const kindNames = async (reach: () => Promise<CliContext>): Promise<readonly string[]> => {
  try {
    const kinds = await (await reach()).allKinds();
    return kinds.filter(({ verbs }) => verbs.includes('list')).map(({ plural }) => plural);
  } catch {
    return WELL_KNOWN.map(({ plural }) => plural);
  }
};

const namesOf = async (context: CliContext, kind: string): Promise<readonly string[]> => {
  const info = await context.resolve(kind);
  const path = pathOf(info, namespaceFor(context, info)) + queryOf({ limit: String(NAMES_MAX) });
  const { items } = await context.client.json<{ readonly items: readonly ApiObject[] }>({
    method: 'GET',
    path,
    accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
    signal: context.signal,
  });
  return items.map(({ metadata }) => metadata.name);
};

const containersOf = async (context: CliContext, pod: string): Promise<readonly string[]> => {
  const { client, namespace = 'default', signal } = context;
  const name = pod.replace(/^(pods?|po)\//, '');
  const { spec } = await client.get(PODS, { namespace, name }, signal);
  return [...spec.containers, ...(spec.initContainers ?? [])].map((each) => each.name);
};

const NAMES_MAX = 500;
