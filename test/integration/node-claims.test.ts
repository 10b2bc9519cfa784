import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NODES } from '../../api/resources';
import { systemClock } from '../../lib/clock';
import { IdentityStore, type NodeIdentity } from '../../node-agent/identity/identity-store';
import { ensureIdentity } from '../../node-agent/identity/join';
import { createKey } from '../../node-agent/identity/key';
import { createTransport } from '../../node-agent/session/transport';
import { eventually, onlyServer, startAgent, startPlane, type Plane } from './support/agent-plane';

let directory: string;
let plane: Plane;
const folders: string[] = [];

const folder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'dhow-claims-'));
  folders.push(path);
  return path;
};

beforeEach(async () => {
  directory = await folder();
  plane = await startPlane(directory);
});
afterEach(async () => {
  await plane[Symbol.asyncDispose]();
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true, force: true })));
});

const isConnected = () => eventually(async () => plane.nodes.connections.isConnected('n1'));
const isGone = () => eventually(async () => !plane.nodes.connections.isConnected('n1'));
const node = (name: string) => ({ namespace: '', name });
const identity = (path: string, nodeName = 'n1') =>
  ensureIdentity(new IdentityStore(join(path, 'state')), {
    host: '127.0.0.1',
    token: plane.token,
    agentsPort: plane.port,
    nodeName,
    clock: systemClock,
  });
/** Why the server takes this certificate for nobody's; undefined when it renews it. */
const refusalOf = async (held: NodeIdentity): Promise<string | undefined> => {
  const transport = createTransport(onlyServer(held), () => held, systemClock);
  try {
    await transport.renew((await createKey()).certificateRequest);
    return undefined;
  } catch (error) {
    return String(error);
  } finally {
    transport.close();
  }
};

it('the name of a node that is not up is not to be had for a join token', async () => {
  const first = await startAgent(plane, directory);
  await isConnected();
  await first.stop();
  await isGone();
  const thief = await folder();
  await expect(identity(thief)).rejects.toThrow(
    `node "n1" is another agent's: choose another name with --name, or, if that machine is ` +
      'gone for good, remove it first: kubectl delete node n1',
  );
  // The right one comes back, also after its certificate was lost.
  new IdentityStore(join(directory, 'state')).forget();
  await using _again = await startAgent(plane, directory);
  await isConnected();
});

it('of two that join by one name at once one gets it', async () => {
  const [a, b] = [await folder(), await folder()];
  const outcomes = await Promise.allSettled([identity(a), identity(b)]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

it('a deleted node’s certificate is dead, also once another has its name', async () => {
  const first = await startAgent(plane, directory);
  await isConnected();
  const held = first.identity;
  await first.stop();
  expect(await refusalOf(held)).toBeUndefined();
  await plane.client.delete(NODES, node('n1'));
  expect(await refusalOf(held)).toContain('node "n1" is not in the cluster: it must join again');
  const other = await folder();
  const next = await identity(other);
  expect(await refusalOf(held)).toContain('the certificate is of an earlier node "n1"');
  expect(await refusalOf(next)).toBeUndefined();
});

it('an agent whose Node was deleted joins again by its token, with a new key', async () => {
  await using agent = await startAgent(plane, directory);
  await isConnected();
  const held = agent.identity;
  const { metadata } = await plane.client.get(NODES, node('n1'));
  await plane.client.delete(NODES, node('n1'));
  const back = await eventually(async () => {
    const { items } = await plane.client.list(NODES);
    return items.find((each) => each.metadata.uid !== metadata.uid && each.spec.podCIDR);
  });
  await isConnected();
  expect(back.metadata.name).toBe('n1');
  expect(await refusalOf(held)).toContain('an earlier node');
});

it('a Node that an administrator made beforehand waits for its agent, and keeps its labels', async () => {
  const labels = { 'node-restriction.kubernetes.io/tier': 'gold' };
  const taints = [{ key: 'mine', effect: 'NoSchedule' }];
  await plane.client.create(NODES, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', labels },
    spec: { taints },
    status: {},
  });
  await using _agent = await startAgent(plane, directory);
  await isConnected();
  const { metadata, spec } = await plane.client.get(NODES, node('n1'));
  expect(metadata.labels).toMatchObject(labels);
  expect(spec.taints).toEqual(expect.arrayContaining(taints));
});
