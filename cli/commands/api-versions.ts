import type { CliContext } from '../context';

/** The groups and versions that the server serves. */
export const apiVersions = async ({ client, terminal, signal }: CliContext): Promise<void> => {
  const [core, groups] = await Promise.all([
    client.json<{ readonly versions: readonly string[] }>({ method: 'GET', path: '/api', signal }),
    client.json<Groups>({ method: 'GET', path: '/apis', signal }),
  ]);
  const named = groups.groups.flatMap(({ versions }) =>
    versions.map(({ groupVersion }) => groupVersion),
  );
  const all = [...core.versions, ...named].sort();
  terminal.out.write(all.map((version) => `${version}\n`).join(''));
};

interface Groups {
  readonly groups: readonly {
    readonly versions: readonly { readonly groupVersion: string }[];
  }[];
}
