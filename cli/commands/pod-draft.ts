import { PODS } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { readYaml } from '../../api/yaml';
import type { PatchType } from '../../client/api-client';
import { changedHere } from '../dry-patch';
import { UsageError } from '../usage-error';
import { parseKeyValues } from './key-values';

/** What `run` says of the pod that it makes. */
export interface PodOptions {
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly env?: readonly string[];
  readonly port?: number;
  readonly labels?: readonly string[];
  readonly annotations?: readonly string[];
  readonly restart?: string;
  readonly command?: boolean;
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly leaveStdinOpen?: boolean;
  readonly privileged?: boolean;
  readonly overrides?: string;
  readonly overrideType?: string;
}

/** Pure: a pod of one container, as kubectl would make it. @throws UsageError */
export const podDraft = (
  name: string,
  words: readonly string[],
  options: PodOptions,
): ApiObject => {
  const { image = '', restart = 'Always', annotations = [] } = options;
  if (image === '') throw new UsageError('--image is required');
  if (!['Always', 'OnFailure', 'Never'].includes(restart)) {
    throw new UsageError(`invalid restart policy: ${restart}`);
  }
  const { labels = [] } = options;
  const draft = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: labels.length === 0 ? { run: name } : pairs(labels, 'label'),
      ...(annotations.length === 0 ? {} : { annotations: pairs(annotations, 'annotation') }),
    },
    spec: {
      containers: [containerOf(name, image, words, options)],
      dnsPolicy: 'ClusterFirst',
      restartPolicy: restart,
    },
    status: {},
  };
  return overridden(draft, options);
};

const pairs = (
  texts: readonly string[],
  what: 'label' | 'annotation',
): Readonly<Record<string, string>> => Object.fromEntries(parseKeyValues(texts, what).set);

const containerOf = (
  name: string,
  image: string,
  words: readonly string[],
  options: PodOptions,
): object => {
  const { imagePullPolicy, env = [], port, stdin, tty, leaveStdinOpen, privileged } = options;
  return {
    name,
    image,
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    ...(words.length === 0 ? {} : { [options.command === true ? 'command' : 'args']: words }),
    ...(env.length === 0 ? {} : { env: env.map(variableOf) }),
    ...(port === undefined ? {} : { ports: [{ containerPort: port }] }),
    resources: {},
    ...(privileged === true ? { securityContext: { privileged: true } } : {}),
    ...(stdin === true ? { stdin: true, stdinOnce: leaveStdinOpen !== true } : {}),
    ...(tty === true ? { tty: true } : {}),
  };
};

const variableOf = (text: string): { readonly name: string; readonly value: string } => {
  const equals = text.indexOf('=');
  if (equals < 1) throw new UsageError(`invalid env: ${text}`);
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
};

const overridden = (draft: ApiObject, { overrides, overrideType }: PodOptions): ApiObject => {
  if (overrides === undefined) return draft;
  const type = OVERRIDE_TYPES[overrideType ?? 'merge'];
  if (type === undefined) {
    throw new UsageError(
      `--override-type takes merge, json or strategic, not "${overrideType ?? ''}"`,
    );
  }
  try {
    return changedHere(PODS, draft, { type, body: readYaml(overrides)[0]?.value });
  } catch (error) {
    throw new UsageError(`--overrides: ${(error as Error).message}`, { cause: error });
  }
};

const OVERRIDE_TYPES: Readonly<Partial<Record<string, PatchType>>> = {
  merge: 'merge',
  json: 'json',
  strategic: 'strategic',
};
