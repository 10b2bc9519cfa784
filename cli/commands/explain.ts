import { hasReason } from '../../api/errors';
import type { CliContext } from '../context';
import { Schemas, type GroupVersionKind, type OpenApiDocument } from '../explain/schema';
import { explanation, kindText } from '../explain/text';
import { UsageError } from '../usage-error';

export interface ExplainOptions {
  readonly recursive?: boolean;
  readonly apiVersion?: string;
  readonly output?: string;
}

/** Says what a kind, or a field of it, means: `pods.spec.containers`. */
export const explain = async (
  context: CliContext,
  subject: string,
  options: ExplainOptions,
): Promise<void> => {
  const { output = 'plaintext' } = options;
  if (output !== 'plaintext') {
    throw new UsageError(`unrecognized format: ${output}; plaintext is there`);
  }
  const [name = '', ...path] = subject.split('.').filter((part) => part !== '');
  const { group, version, kind } = await context.resolve(name);
  const wanted = versionOf({ group, version, kind }, options.apiVersion);
  const schemas = new Schemas(await documentOf(context, wanted));
  const root = schemas.ofKind(wanted);
  if (root === undefined) {
    throw new UsageError(
      `couldn't find resource for "${wanted.group}/${wanted.version}, Kind=${kind}"`,
    );
  }
  context.terminal.out.write(kindText(wanted));
  const text = explanation(schemas, schemas.at(root, path), {
    name: path.at(-1),
    isRecursive: options.recursive === true,
  });
  context.terminal.out.write(text);
};

const versionOf = (known: GroupVersionKind, apiVersion: string | undefined): GroupVersionKind => {
  if (apiVersion === undefined) return known;
  const [first = '', second] = apiVersion.split('/');
  return second === undefined
    ? { ...known, group: '', version: first }
    : { ...known, group: first, version: second };
};

const documentOf = async (
  { client, signal }: CliContext,
  { group, version }: GroupVersionKind,
): Promise<OpenApiDocument> => {
  const path = [group === '' ? 'api' : `apis/${group}`, version].map(encodePath).join('/');
  try {
    return await client.json<OpenApiDocument>({
      method: 'GET',
      path: `/openapi/v3/${path}`,
      signal,
    });
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
    throw new UsageError(`the server has no API version ${group}/${version}`, { cause: error });
  }
};

const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
