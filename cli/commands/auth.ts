import type { ApiObject } from '../../api/types';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { formatViews, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { UsageError } from '../usage-error';

export interface CanIOptions {
  readonly subresource?: string;
  readonly quiet?: boolean;
  readonly list?: boolean;
  readonly headers?: boolean;
}

/** May this user do that? Prints yes or no, and resolves with 0 or 1. */
export const canI = async (
  context: CliContext,
  verb: string | undefined,
  target: string | undefined,
  name: string | undefined,
  options: CanIOptions,
): Promise<number> => {
  if (options.list === true) {
    if (verb !== undefined) throw new UsageError('neither verb nor kind are taken with --list');
    return listRights(context, options);
  }
  if (verb === undefined || target === undefined) {
    throw new UsageError(
      'you must specify two arguments: verb resource or verb resource/resourceName',
    );
  }
  const spec = target.startsWith('/')
    ? { nonResourceAttributes: { path: target, verb } }
    : { resourceAttributes: await attributesOf(context, verb, target, name, options) };
  const { status } = await review<Access>(
    context,
    'authorization.k8s.io',
    'SelfSubjectAccessReview',
    spec,
  );
  const isAllowed = status.allowed;
  if (options.quiet !== true) {
    const reason = isAllowed || !status.reason ? '' : ` - ${status.reason}`;
    context.terminal.out.write(`${isAllowed ? 'yes' : `no${reason}`}\n`);
  }
  return isAllowed ? 0 : 1;
};

/** All that this user may do in the namespace, as far as the server can tell. */
const listRights = async (context: CliContext, { headers }: CanIOptions): Promise<number> => {
  const namespace = context.namespace ?? 'default';
  const { status } = await review<Rights>(
    context,
    'authorization.k8s.io',
    'SelfSubjectRulesReview',
    { namespace },
  );
  if (status.incomplete === true) {
    context.terminal.err.write(
      printable(`warning: the list may be incomplete: ${status.evaluationError ?? ''}\n`),
    );
  }
  const list = (values: readonly string[] = []) => `[${values.join(' ')}]`;
  const named = ({ apiGroups = [''], resources = [] }: Rule): readonly string[] =>
    resources.flatMap((resource) =>
      apiGroups.map((group) => (group === '' ? resource : `${resource}.${group}`)),
    );
  const rows = [
    ...(status.resourceRules ?? []).flatMap((rule) =>
      named(rule).map((resource) => [resource, '[]', list(rule.resourceNames), list(rule.verbs)]),
    ),
    ...(status.nonResourceRules ?? []).map((rule) => [
      ...['', list(rule.nonResourceURLs), '[]', list(rule.verbs)],
    ]),
  ];
  const titles = ['Resources', 'Non-Resource URLs', 'Resource Names', 'Verbs'];
  context.terminal.out.write(printable(formatTable(headers === false ? undefined : titles, rows)));
  return 0;
};

interface Rights extends ApiObject {
  readonly status: {
    readonly resourceRules?: readonly Rule[];
    readonly nonResourceRules?: readonly Rule[];
    readonly incomplete?: boolean;
    readonly evaluationError?: string;
  };
}

interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

interface Access extends ApiObject {
  readonly status: { readonly allowed: boolean; readonly reason?: string };
}

const attributesOf = async (
  context: CliContext,
  verb: string,
  target: string,
  name: string | undefined,
  { subresource: named }: CanIOptions,
): Promise<object> => {
  const { namespace } = context;
  const [kind = '', after] = target.split('/');
  const object = name ?? after;
  const rest = {
    verb,
    ...(named === undefined ? {} : { subresource: named }),
    ...(object === undefined ? {} : { name: object }),
  };
  if (kind === '*') return { group: '*', resource: '*', namespace, ...rest };
  const { group, plural, isNamespaced } = await context.resolve(kind);
  return { group, resource: plural, ...(isNamespaced ? { namespace } : {}), ...rest };
};

/** Who the server takes this user for. */
export const whoami = async (
  context: CliContext,
  { output }: { readonly output?: string },
): Promise<void> => {
  const format = outputFormat(output);
  const document = await review<Identity>(
    context,
    'authentication.k8s.io',
    'SelfSubjectReview',
    {},
  );
  const { username = '', uid, groups = [], extra = {} } = document.status.userInfo;
  const list = (values: readonly string[]) => `[${values.join(' ')}]`;
  const table = () =>
    formatTable(
      ['ATTRIBUTE', 'VALUE'],
      [
        ['Username', username],
        ...(uid === undefined || uid === '' ? [] : [['UID', uid]]),
        ...(groups.length === 0 ? [] : [['Groups', list(groups)]]),
        ...Object.entries(extra).map(([key, values]) => [`Extra: ${key}`, list(values)]),
      ],
    );
  const names = ['selfsubjectreview.authentication.k8s.io/'];
  context.terminal.out.write(formatViews({ document, names, table }, format));
};

interface Identity extends ApiObject {
  readonly status: {
    readonly userInfo: {
      readonly username?: string;
      readonly uid?: string;
      readonly groups?: readonly string[];
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
  };
}

/** Asks the server about the one who asks. */
const review = <T extends ApiObject>(
  { client, signal }: CliContext,
  group: string,
  kind: string,
  spec: object,
): Promise<T> =>
  client.json<T>({
    method: 'POST',
    path: `/apis/${group}/v1/${kind.toLowerCase()}s`,
    body: stringifyJson({ apiVersion: `${group}/v1`, kind, metadata: {}, spec }),
    signal,
  });
