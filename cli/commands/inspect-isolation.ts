import { containersIn } from '../../api/pod-in';
import { PODS } from '../../api/resources';
import type { PodIsolation } from '../../api/isolation';
import type { CliContext } from '../context';
import { isolationRows, type IsolationRow } from '../isolation/isolation-rows';
import { formatViews, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { podName } from '../targets';
import { UsageError } from '../usage-error';

export interface InspectIsolationOptions {
  readonly container?: string;
  readonly output?: string;
}

/**
 * How the kernel shuts in the containers of a pod, beside what its manifest asks for. Resolves with 1 when
 * something differs, else with 0.
 */
export const inspectIsolation = async (
  context: CliContext,
  podOrKind: string,
  givenName: string | undefined,
  { container: only, output }: InspectIsolationOptions,
): Promise<number> => {
  const { client, signal, terminal, namespace = 'default' } = context;
  const format = outputFormat(output);
  const arg = givenName === undefined ? podOrKind : `${podOrKind}/${givenName}`;
  const name = await podName(context, arg, ({ status }) => status.phase === 'Running');
  const pod = await client.get(PODS, { namespace, name }, signal);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/isolation`;
  const answer = await client.json<PodIsolation>({ method: 'GET', path, signal });
  const containers = answer.containers.filter((each) => only === undefined || each.name === only);
  if (containers.length === 0)
    throw new UsageError(
      only === undefined
        ? `no container of pod ${name} is running`
        : `container ${only} of pod ${name} is not running`,
    );
  const declared = new Map(
    containersIn(pod.spec).map(([container]) => [container.name, container]),
  );
  const tables = containers.map((facts) => {
    const container = declared.get(facts.name) ?? { name: facts.name, image: '' };
    return { facts, rows: isolationRows(pod.spec, container, facts) };
  });
  const table = () =>
    tables
      .map(
        ({ facts, rows }) =>
          `container ${facts.name}, pid ${facts.pid} on ${answer.nodeName}\n${textOf(rows)}`,
      )
      .map((text) => text.split('\n').map(printable).join('\n'))
      .join('\n');
  const document = { ...answer, containers };
  const names = containers.map((each) => `container/${each.name}`);
  terminal.out.write(formatViews({ document, names, table }, format));
  return tables.some(({ rows }) => rows.some(({ differs }) => differs)) ? 1 : 0;
};

const textOf = (rows: readonly IsolationRow[]): string =>
  formatTable(
    ['PROPERTY', 'MANIFEST', 'KERNEL', 'DIFFERS'],
    rows.map(({ property, asked, kernel, differs }) => [
      property,
      asked,
      kernel,
      differs ? 'yes' : '',
    ]),
  );
