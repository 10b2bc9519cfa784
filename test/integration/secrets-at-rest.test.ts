import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENCRYPTION_KEY_FILE } from '../../api/encryption-keys';
import { ENCRYPTION_KEYS, SECRETS } from '../../api/resources';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { addKey, readKeyFile } from '../../lib/encryption-keys';
import { eventually } from './support/agent-plane';
import { startServer, type RunningServer } from './support/running-server';

jest.setTimeout(180_000);

let directory: string;
let keyFile: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-secrets-'));
  keyFile = join(directory, 'data', ENCRYPTION_KEY_FILE);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const clientOf = async ({ kubeconfig }: RunningServer) =>
  new RestClient(await readKubeconfig(kubeconfig));

const name = { namespace: 'default', name: 'db' };
const create = async (client: RestClient) => {
  const { namespace } = name;
  const data = { password: Buffer.from('opensesame').toString('base64') };
  await client.create(SECRETS, {
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { ...name, namespace }, data },
  });
};

/** How many secrets each key encrypts, the current one first. */
const uses = async (client: RestClient) =>
  (await client.list(ENCRYPTION_KEYS)).items.map(({ status }) => status);

it('encrypts secrets anew with a key that is added while it runs, and needs the former no more', async () => {
  {
    await using running = await startServer(directory);
    const client = await clientOf(running);
    await create(client);
    expect(await uses(client)).toEqual([{ current: true, secrets: 1 }]);
    await addKey(keyFile, 0);
    await eventually(async () => (await uses(client)).at(1)?.secrets === 0);
    expect(await uses(client)).toEqual([
      { current: true, secrets: 1 },
      { current: false, secrets: 0 },
    ]);
    // One that cannot be read takes nothing away.
    await writeFile(keyFile, `${await readFile(keyFile, 'utf8')}}`);
    const before = (await client.get(SECRETS, name)).data;
    await client.update(SECRETS, { ...(await client.get(SECRETS, name)), type: 'Opaque' });
    expect((await client.get(SECRETS, name)).data).toEqual(before);
  }
  const text = await readFile(keyFile, 'utf8');
  await writeFile(keyFile, text.slice(0, -1));
  const [newest] = await readKeyFile(keyFile);
  const { keys } = JSON.parse(text.slice(0, -1)) as { keys: readonly { readonly id: string }[] };
  await writeFile(keyFile, JSON.stringify({ keys: keys.filter(({ id }) => id === newest?.id) }));
  await using running = await startServer(directory);
  const { data } = await (await clientOf(running)).get(SECRETS, name);
  expect(Buffer.from(data?.['password'] ?? '', 'base64').toString()).toBe('opensesame');
});

it('does not start without its keys beside secrets, and starts with them again', async () => {
  {
    await using running = await startServer(directory);
    await create(await clientOf(running));
  }
  const keys = await readFile(keyFile, 'utf8');
  await rm(keyFile);
  await expect(startServer(directory)).rejects.toThrow(
    /^1 of secrets are encrypted with a key that this server does not have .*: put its key file back/,
  );
  await writeFile(keyFile, keys);
  await using running = await startServer(directory);
  expect(await uses(await clientOf(running))).toEqual([{ current: true, secrets: 1 }]);
});
