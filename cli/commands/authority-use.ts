import { join } from 'node:path';
import { nodeIdentityOf } from '../../api/node-identity';
import { NODES } from '../../api/resources';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { timedController } from '../../lib/async/timed-controller';
import { systemClock } from '../../lib/clock';

/** Which nodes an authority knows that is to follow another one. */
export interface AuthorityUse {
  readonly nodeCount: number;
  /** The names of those whose newest certificate is of an authority before it. */
  readonly former: readonly string[];
}

/** Asks the server of a data folder. @throws Error when it does not answer */
export const authorityUseOf = async (dataDir: string, nextHash: string): Promise<AuthorityUse> => {
  using limit = timedController(systemClock, TIMEOUT_MS);
  const client = new RestClient(await readKubeconfig(join(dataDir, 'admin.kubeconfig')));
  try {
    const { items } = await client.list(NODES, {}, limit.signal);
    // One that nobody has joined as yet has no certificate.
    const joined = items.filter((node) => nodeIdentityOf(node) !== undefined);
    const former = joined.filter((node) => nodeIdentityOf(node)?.authority !== nextHash);
    return { nodeCount: joined.length, former: former.map(({ metadata }) => metadata.name) };
  } finally {
    client.http.close();
  }
};

const TIMEOUT_MS = 15_000;
