import {
  CONFIG_MAPS,
  CRON_JOBS,
  DEPLOYMENTS,
  JOBS,
  NAMESPACES,
  PRIORITY_CLASSES,
  SECRETS,
  SERVICE_ACCOUNTS,
  apiVersionOf,
  type Resource,
} from '../../api/resources';
import type { CronJob, OwnerReference } from '../../api/types';
import { stringifyJson } from '../../lib/json';

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

export const draft = <F extends object>(
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
