import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createSecureServer, type Http2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openPki } from '../../control-plane/pki/pki';
import { systemClock } from '../../lib/clock';
import { createTransport } from '../../node-agent/session/transport';
import { onlyServer } from './support/agent-plane';

it('lets the server send a part of the assignments ahead of an agent that is busy', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-session-'));
  const { server, admin, caCertificate, caHash } = await openPki({
    ...{ directory, serverNames: [], clock: systemClock },
  });
  const listener = createSecureServer({ key: server.key, cert: server.certificate });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const identity = { nodeName: 'n1', ...admin, caCertificate, caHash, agentsPort: port };
  const transport = createTransport(onlyServer(identity), () => identity, systemClock);
  const session = transport.openSession(new AbortController().signal);
  try {
    session.messages.next().catch(() => undefined);
    const [stream] = (await once(listener, 'stream')) as [Http2Stream];
    // Both bound what may be on the way: of the session, and of all streams on its connection.
    expect(stream.session?.remoteSettings.initialWindowSize).toBe(MIB);
    expect(stream.session?.state.remoteWindowSize).toBe(MIB);
  } finally {
    session.cancel();
    transport.close();
    listener.close();
    await rm(directory, { recursive: true, force: true });
  }
});

const MIB = 1024 * 1024;
