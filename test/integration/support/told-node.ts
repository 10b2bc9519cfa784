import { join } from 'node:path';

import { NetworkTables } from '../../../node-agent/session/network-tables';
import { IdentityStore } from '../../../node-agent/identity/identity-store';
import { ensureIdentity } from '../../../node-agent/identity/join';
import { createTransport } from '../../../node-agent/session/transport';
import { systemClock } from '../../../lib/clock';
import { stringifyJson } from '../../../lib/json';
import { silentLog } from '../../../lib/log';
import { onlyServer, type Plane } from './agent-plane';

/** A node that does nothing but remember what it is told. */
export interface ToldNode extends AsyncDisposable {
  readonly network: NetworkTables;
  /** `resource key` of each row, removed ones with `no` before, as they came; a message ends with `;`. */
  readonly rows: readonly string[];
  /** Sizes of the messages that had rows. */
  readonly messageBytes: readonly number[];
}

export const startToldNode = async (
  plane: Pick<Plane, 'token' | 'port'>,
  directory: string,
  name: string,
): Promise<ToldNode> => {
  const store = new IdentityStore(join(directory, name));
  const identity = await ensureIdentity(store, {
    ...{ host: '127.0.0.1', token: plane.token, agentsPort: plane.port, nodeName: name },
    clock: systemClock,
  });
  const stop = new AbortController();
  const transport = createTransport(onlyServer(identity), () => identity, systemClock);
  const stream = transport.openSession(stop.signal);
  const network = new NetworkTables(join(directory, name), silentLog, systemClock);
  const rows: string[] = [];
  const messageBytes: number[] = [];
  const status = { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] };
  const node = Buffer.from(stringifyJson({ metadata: { labels: {} }, status }));
  const hello = { nodeName: name, agentId: store.agentId(), version: '1', node };
  await stream.write({ message: { $case: 'hello', value: hello } });
  const follow = async () => {
    const snapshot: Parameters<NetworkTables['applySnapshot']>[0][number][] = [];
    for (;;) {
      const { value } = await stream.messages.next();
      if (value === undefined) return;
      const { message } = value;
      if (message?.$case !== 'snapshot' && message?.$case !== 'changes') continue;
      const removed = message.$case === 'changes' ? message.value.removed : [];
      messageBytes.push(message.value.rows.reduce((sum, { json }) => sum + json.length, 0));
      rows.push(
        ...removed.map(({ resource, key }) => `no ${resource} ${key}`),
        ...message.value.rows.map(({ resource, key }) => `${resource} ${key}`),
        ';',
      );
      if (message.$case === 'changes') network.applyChanges(message.value);
      else {
        snapshot.push(...message.value.rows);
        if (!message.value.partial) network.applySnapshot(snapshot);
      }
    }
  };
  const following = follow().catch(() => undefined);
  return {
    ...{ network, rows, messageBytes },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await following;
      transport.close();
    },
  };
};
