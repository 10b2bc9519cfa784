import {
  CLUSTER_ROLES,
  CONFIG_MAPS,
  CRON_JOBS,
  DEPLOYMENTS,
  JOBS,
  NAMESPACES,
  PRIORITY_CLASSES,
  RBAC_GROUP,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  CLUSTER_ROLE_BINDINGS,
  ROLE_BINDINGS,
  apiVersionOf,
  type Resource,
} from '../../api/resources';
import type { CronJob, OwnerReference } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import { UsageError } from '../usage-error';

/** An object as it is sent to be created. */
export interface Draft {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly OwnerReference[];
  };
}

const draft = <F extends object>(
  resource: Resource,
  name: string,
  fields: F,
  labels?: Readonly<Record<string, string>>,
): Draft & F => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  metadata: { name, ...(labels === undefined ? {} : { labels }) },
  ...fields,
});

export const namespaceDraft = (name: string): Draft =>
  draft(NAMESPACES, name, { spec: {}, status: {} });

export const serviceAccountDraft = (name: string): Draft => draft(SERVICE_ACCOUNTS, name, {});

/** Texts that are UTF-8 as `data`, all else as `binaryData`. */
export const configMapDraft = (name: string, entries: ReadonlyMap<string, Buffer>): Draft => {
  const all = [...entries];
  const data = all
    .filter(([, value]) => isText(value))
    .map(([key, value]) => [key, value.toString()]);
  const binary = all
    .filter(([, value]) => !isText(value))
    .map(([key, value]) => [key, value.toString('base64')]);
  return draft(CONFIG_MAPS, name, {
    ...(data.length === 0 ? {} : { data: Object.fromEntries(data) as unknown }),
    ...(binary.length === 0 ? {} : { binaryData: Object.fromEntries(binary) as unknown }),
  });
};

const isText = (value: Buffer): boolean => Buffer.from(value.toString()).equals(value);

export const secretDraft = (
  name: string,
  entries: ReadonlyMap<string, Buffer>,
  type?: string,
): Draft =>
  draft(SECRETS, name, {
    ...(entries.size === 0
      ? {}
      : {
          data: Object.fromEntries(
            [...entries].map(([key, value]) => [key, value.toString('base64')]),
          ),
        }),
    ...(type === undefined ? {} : { type }),
  });

/** The credentials for a registry, as Docker keeps them. */
export const registryEntries = ({
  server,
  username,
  password,
  email,
}: {
  readonly server: string;
  readonly username: string;
  readonly password: string;
  readonly email?: string;
}): ReadonlyMap<string, Buffer> => {
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const entry = { username, password, ...(email === undefined ? {} : { email }), auth };
  return new Map([
    ['.dockerconfigjson', Buffer.from(stringifyJson({ auths: { [server]: entry } }))],
  ]);
};

export const deploymentDraft = (
  name: string,
  options: {
    readonly images: readonly string[];
    readonly replicas: number;
    readonly port?: number;
    readonly command: readonly string[];
  },
): Draft => {
  const { images, replicas, port, command } = options;
  const labels = { app: name };
  const containers = images.map((image) => ({
    name: containerName(image),
    image,
    ...(command.length === 0 ? {} : { command }),
    ...(port === undefined ? {} : { ports: [{ containerPort: port }] }),
    resources: {},
  }));
  const template = { metadata: { labels }, spec: { containers } };
  const spec = { replicas, selector: { matchLabels: labels }, strategy: {}, template };
  return draft(DEPLOYMENTS, name, { spec, status: {} }, labels);
};

export interface OneContainer {
  readonly image: string;
  readonly command: readonly string[];
}

/** The pods of a job whose one container is called as the job. */
const onceTemplate = (name: string, restartPolicy: string, { image, command }: OneContainer) => ({
  metadata: {},
  spec: {
    containers: [{ ...(command.length === 0 ? {} : { command }), image, name, resources: {} }],
    restartPolicy,
  },
});

export const jobDraft = (name: string, container: OneContainer): Draft =>
  draft(JOBS, name, { spec: { template: onceTemplate(name, 'Never', container) }, status: {} });

/** A job as the cron job would start it, now. */
export const jobOfCronJob = (name: string, cronJob: CronJob): Draft => {
  const { metadata, spec } = cronJob.spec?.jobTemplate ?? {};
  const { apiVersion, kind } = cronJob;
  const owner = { apiVersion, kind, name: cronJob.metadata.name, uid: cronJob.metadata.uid ?? '' };
  const job = draft(JOBS, name, { spec: spec ?? {}, status: {} }, metadata?.labels);
  return {
    ...job,
    metadata: {
      ...job.metadata,
      annotations: { 'cronjob.kubernetes.io/instantiate': 'manual', ...metadata?.annotations },
      // A plain controller: deleting the cron job does not wait for it.
      ownerReferences: [{ ...owner, controller: true }],
    },
  };
};

export interface CronJobOptions extends OneContainer {
  readonly schedule: string;
  readonly restartPolicy: string;
}

export const cronJobDraft = (
  name: string,
  { schedule, restartPolicy, ...container }: CronJobOptions,
): Draft => {
  const template = onceTemplate(name, restartPolicy, container);
  const jobTemplate = { metadata: { name }, spec: { template } };
  return draft(CRON_JOBS, name, { spec: { jobTemplate, schedule }, status: {} });
};

/** `nginx` of `registry.example/team/nginx:1.27@sha256:...`, as kubectl makes it a name. */
const containerName = (image: string): string =>
  (image.split('/').at(-1) ?? '')
    .split(/[:@]/)[0]
    ?.toLowerCase()
    .replace(/[^a-z0-9-]/g, '-') ?? '';

export interface RuleOptions {
  readonly verbs: readonly string[];
  /** Each as `pods`, `deployments.apps`, `pods/log`, resolved to its group. */
  readonly resources: readonly { readonly group: string; readonly resource: string }[];
  readonly resourceNames: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

/** A rule for each group. */
export const roleDraft = (name: string, isOfCluster: boolean, options: RuleOptions): Draft => {
  const { verbs, resources, resourceNames, nonResourceURLs } = options;
  if (verbs.length === 0) throw new UsageError('at least one verb must be specified');
  if (resources.length === 0 && nonResourceURLs.length === 0)
    throw new UsageError('at least one resource must be specified');
  const groups = [...new Set(resources.map(({ group }) => group))];
  const rules = [
    ...groups.map((group) => ({
      apiGroups: [group],
      ...(resourceNames.length === 0 ? {} : { resourceNames }),
      resources: resources.filter((each) => each.group === group).map(({ resource }) => resource),
      verbs,
    })),
    ...(nonResourceURLs.length === 0 ? [] : [{ nonResourceURLs, verbs }]),
  ];
  return draft(isOfCluster ? CLUSTER_ROLES : ROLES, name, { rules });
};

export interface BindingOptions {
  readonly role?: string;
  readonly clusterRole?: string;
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** `namespace:name` */
  readonly serviceAccounts: readonly string[];
}

export const bindingDraft = (
  name: string,
  isOfCluster: boolean,
  options: BindingOptions,
): Draft => {
  const { role, clusterRole, users, groups, serviceAccounts } = options;
  if (
    isOfCluster ? clusterRole === undefined : (role === undefined) === (clusterRole === undefined)
  ) {
    throw new UsageError(
      isOfCluster
        ? 'clusterrole must be specified'
        : 'exactly one of clusterrole or role must be specified',
    );
  }
  const person = (kind: string) => (each: string) => ({ apiGroup: RBAC_GROUP, kind, name: each });
  const accounts = serviceAccounts.map((text) => {
    const [namespace = '', account = '', ...rest] = text.split(':');
    if (namespace === '' || account === '' || rest.length > 0)
      throw new UsageError('serviceaccount must be <namespace>:<name>');
    return { kind: 'ServiceAccount', name: account, namespace };
  });
  const subjects = [...users.map(person('User')), ...groups.map(person('Group')), ...accounts];
  const roleRef = {
    apiGroup: RBAC_GROUP,
    kind: clusterRole === undefined ? 'Role' : 'ClusterRole',
    name: clusterRole ?? role,
  };
  return draft(isOfCluster ? CLUSTER_ROLE_BINDINGS : ROLE_BINDINGS, name, {
    roleRef,
    ...(subjects.length === 0 ? {} : { subjects }),
  });
};

export const priorityClassDraft = (
  name: string,
  options: {
    readonly value: number;
    readonly globalDefault: boolean;
    readonly description?: string;
    readonly preemptionPolicy?: string;
  },
): Draft => {
  const { value, globalDefault, description, preemptionPolicy = 'PreemptLowerPriority' } = options;
  return draft(PRIORITY_CLASSES, name, {
    ...(description === undefined ? {} : { description }),
    ...(globalDefault ? { globalDefault } : {}),
    preemptionPolicy,
    value,
  });
};
