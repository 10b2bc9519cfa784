import { ApiError } from '../../api/errors';
import { CRON_JOBS, pathOf, type Resource } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import { stringifyJson } from '../../lib/json';
import { tell, tellingOf, type OutcomeOptions, type Telling } from '../changing';
import type { CliContext } from '../context';
import { readManifests } from '../manifests';
import { kindName } from '../selection';
import { UsageError } from '../usage-error';
import { readEntries, type DataSources } from './data-sources';
import * as access from './access-drafts';
import * as drafts from './drafts';
import { collectFound, when } from './found';

export type CreateOptions = OutcomeOptions;

/** Creates one object, or shows what would be created. */
const create = async (
  context: CliContext,
  draft: drafts.Draft,
  options: CreateOptions,
): Promise<void> => {
  const telling = tellingOf(options);
  const info = await context.resolve(kindName(draft.apiVersion, draft.kind));
  const { namespace: own } = draft.metadata as { readonly namespace?: string };
  const namespace = info.isNamespaced ? (own ?? context.namespace ?? 'default') : '';
  const isPlaced = info.isNamespaced && context.isNamespaceForced;
  const metadata = isPlaced ? { ...draft.metadata, namespace } : draft.metadata;
  const object = { ...draft, metadata } as ApiObject;
  const made = await post(context, telling, info, namespace, object);
  tell(context, telling, { info, object: made, told: 'created' });
};

/** Asks the server to make an object, unless it is only shown; resolves to what there is then. */
export const post = async (
  context: CliContext,
  telling: Telling,
  info: Resource,
  namespace: string,
  object: ApiObject,
): Promise<ApiObject> => {
  if (telling.dryRun === 'client') return object;
  const query = queryOf({
    fieldManager: telling.fieldManager,
    fieldValidation: 'Strict',
    dryRun: telling.dryRun === 'server' ? 'All' : undefined,
  });
  return context.client.json<ApiObject>({
    method: 'POST',
    path: pathOf(info, namespace) + query,
    body: stringifyJson(object),
    signal: context.signal,
  });
};

/** Creates what manifests describe; what is there already is an error. */
export const createFromFiles = async (
  context: CliContext,
  options: CreateOptions & { readonly filename?: readonly string[]; readonly recursive?: boolean },
): Promise<void> => {
  if (options.filename === undefined)
    throw new UsageError('must specify -f FILE, or a kind: dhow create --help');
  const manifests = await readManifests(options.filename, {
    isRecursive: options.recursive === true,
  });
  const { failure } = await collectFound(manifests, ({ object, source }) =>
    when('creating', source, () => create(context, object, options)),
  );
  if (failure !== undefined) throw failure;
};

/** As `create`, with a refusal in kubectl's words, and its word for the kind. */
export const createNew = async (
  context: CliContext,
  draft: drafts.Draft,
  options: CreateOptions,
  what = draft.kind.toLowerCase(),
): Promise<void> => {
  try {
    await create(context, draft, options);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new UsageError(`failed to create ${what}: ${error.message}`, { cause: error });
  }
};

export const createNamespace = (
  context: CliContext,
  name: string,
  options: CreateOptions,
): Promise<void> => create(context, drafts.namespaceDraft(name), options);

export const createServiceAccount = (
  context: CliContext,
  name: string,
  options: CreateOptions,
): Promise<void> => createNew(context, drafts.serviceAccountDraft(name), options);

export const createConfigMap = (
  context: CliContext,
  name: string,
  options: CreateOptions & DataSources,
): Promise<void> => createNew(context, drafts.configMapDraft(name, readEntries(options)), options);

export const createGenericSecret = (
  context: CliContext,
  name: string,
  options: CreateOptions & DataSources & { readonly type?: string },
): Promise<void> =>
  createNew(context, drafts.secretDraft(name, readEntries(options), options.type), options);

export interface RegistryOptions extends CreateOptions {
  readonly dockerServer?: string;
  readonly dockerUsername?: string;
  readonly dockerPassword?: string;
  readonly dockerEmail?: string;
}

export const createRegistrySecret = (
  context: CliContext,
  name: string,
  options: RegistryOptions,
): Promise<void> => {
  const {
    dockerServer: server = 'https://index.docker.io/v1/',
    dockerUsername: username,
    dockerPassword: password,
    dockerEmail: email,
  } = options;
  if (username === undefined || password === undefined) {
    throw new UsageError(
      'either --from-file or the combination of --docker-username, --docker-password and --docker-server is required',
    );
  }
  const entries = drafts.registryEntries({
    server,
    username,
    password,
    ...(email === undefined ? {} : { email }),
  });
  return create(
    context,
    drafts.secretDraft(name, entries, 'kubernetes.io/dockerconfigjson'),
    options,
  );
};

export const createTlsSecret = (
  context: CliContext,
  name: string,
  options: CreateOptions & { readonly cert?: string; readonly key?: string },
): Promise<void> => {
  const { cert, key } = options;
  if (cert === undefined || key === undefined)
    throw new UsageError('key and certificate must be specified: --cert FILE --key FILE');
  const entries = readEntries({ fromFile: [`tls.crt=${cert}`, `tls.key=${key}`] });
  return createNew(context, drafts.secretDraft(name, entries, 'kubernetes.io/tls'), options);
};

export interface CreateDeploymentOptions extends CreateOptions {
  readonly image?: readonly string[];
  readonly replicas?: number;
  readonly port?: number;
}

export const createDeployment = (
  context: CliContext,
  name: string,
  command: readonly string[],
  options: CreateDeploymentOptions,
): Promise<void> => {
  const { image: images = [], replicas = 1, port } = options;
  if (images.length === 0) throw new UsageError('required flag(s) "image" not set');
  return create(
    context,
    drafts.deploymentDraft(name, {
      images,
      replicas,
      command,
      ...(port === undefined ? {} : { port }),
    }),
    options,
  );
};

export interface CreateJobOptions extends CreateOptions {
  readonly image?: string;
  /** `cronjob/NAME`, whose template the job is made of. */
  readonly from?: string;
}

export const createJob = async (
  context: CliContext,
  name: string,
  command: readonly string[],
  options: CreateJobOptions,
): Promise<void> => {
  const { image, from } = options;
  if (from !== undefined && command.length > 0)
    throw new UsageError('cannot specify --from and command');
  if (from !== undefined && image === undefined)
    return createNew(context, await jobFrom(context, name, from), options);
  if (image === undefined || from !== undefined)
    throw new UsageError('either --image or --from must be specified');
  return createNew(context, drafts.jobDraft(name, { image, command }), options);
};

const jobFrom = async (context: CliContext, name: string, from: string): Promise<drafts.Draft> => {
  const [kind = '', cronJob = '', ...rest] = from.split('/');
  const info = await context.resolve(kind);
  const isCronJob = info.group === CRON_JOBS.group && info.plural === CRON_JOBS.plural;
  if (!isCronJob || cronJob === '' || rest.length > 0)
    throw new UsageError('from must be an existing cronjob');
  const { client, namespace = 'default', signal } = context;
  const found = await client.get(CRON_JOBS, { namespace, name: cronJob }, signal);
  return drafts.jobOfCronJob(name, found);
};

export interface CreateCronJobOptions extends CreateOptions {
  readonly image?: string;
  readonly schedule?: string;
  readonly restart?: string;
}

export const createCronJob = (
  context: CliContext,
  name: string,
  command: readonly string[],
  options: CreateCronJobOptions,
): Promise<void> => {
  const { image, schedule, restart: restartPolicy = 'OnFailure' } = options;
  if (image === undefined || schedule === undefined) {
    const missing = [
      ...(image === undefined ? ['"image"'] : []),
      ...(schedule === undefined ? ['"schedule"'] : []),
    ];
    throw new UsageError(`required flag(s) ${missing.join(', ')} not set`);
  }
  const fields = { image, schedule, restartPolicy, command };
  return createNew(context, drafts.cronJobDraft(name, fields), options);
};

export interface CreateRoleOptions extends CreateOptions {
  readonly verb?: readonly string[];
  readonly resource?: readonly string[];
  readonly resourceName?: readonly string[];
  readonly nonResourceUrl?: readonly string[];
  readonly aggregationRule?: readonly string[];
}

const createAnyRole =
  (isOfCluster: boolean) =>
  async (context: CliContext, name: string, options: CreateRoleOptions): Promise<void> => {
    const resources = await Promise.all(
      (options.resource ?? []).map(async (text) => {
        const [kind = '', subresource] = text.split('/');
        const { group, plural } = await context.resolve(kind);
        return { group, resource: subresource === undefined ? plural : `${plural}/${subresource}` };
      }),
    );
    const {
      verb: verbs = [],
      resourceName: resourceNames = [],
      nonResourceUrl: nonResourceURLs = [],
    } = options;
    const rules = { verbs, resources, resourceNames, nonResourceURLs };
    const { aggregationRule } = options;
    const draft =
      aggregationRule === undefined
        ? access.roleDraft(name, isOfCluster, rules)
        : access.aggregatedRoleDraft(name, labelsOf(aggregationRule), rules);
    return create(context, draft, options);
  };

/** @throws UsageError */
const labelsOf = (pairs: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const [key = '', value, ...rest] = pair.split('=');
      if (key !== '' && value !== undefined && rest.length === 0) return [key, value];
      throw new UsageError(`--aggregation-rule: "${pair}" is not LABEL=VALUE`);
    }),
  );

export const createRole = createAnyRole(false);
export const createClusterRole = createAnyRole(true);

export interface CreateBindingOptions extends CreateOptions {
  readonly role?: string;
  readonly clusterrole?: string;
  readonly user?: readonly string[];
  readonly group?: readonly string[];
  readonly serviceaccount?: readonly string[];
}

const createAnyBinding =
  (isOfCluster: boolean) =>
  (context: CliContext, name: string, options: CreateBindingOptions): Promise<void> => {
    const {
      role,
      clusterrole,
      user: users = [],
      group: groups = [],
      serviceaccount: serviceAccounts = [],
    } = options;
    const binding = {
      ...(role === undefined ? {} : { role }),
      ...(clusterrole === undefined ? {} : { clusterRole: clusterrole }),
      users,
      groups,
      serviceAccounts,
    };
    return createNew(context, access.bindingDraft(name, isOfCluster, binding), options);
  };

export const createRoleBinding = createAnyBinding(false);
export const createClusterRoleBinding = createAnyBinding(true);

export interface CreatePriorityClassOptions extends CreateOptions {
  readonly value?: string;
  readonly globalDefault?: boolean;
  readonly description?: string;
  readonly preemptionPolicy?: string;
}

export const createPriorityClass = (
  context: CliContext,
  name: string,
  options: CreatePriorityClassOptions,
): Promise<void> => {
  const { value = '0', globalDefault = false, description, preemptionPolicy } = options;
  if (!/^-?\d{1,10}$/.test(value))
    throw new UsageError(`--value: "${value}" is not a whole number`);
  const fields = {
    value: Number(value),
    globalDefault,
    ...(description === undefined ? {} : { description }),
    ...(preemptionPolicy === undefined ? {} : { preemptionPolicy }),
  };
  return createNew(context, drafts.priorityClassDraft(name, fields), options);
};
