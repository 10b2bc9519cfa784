import { once } from 'node:events';
import { createServer, type Http2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

import { credentials } from '@grpc/grpc-js';

import { EtcdLink } from '../../control-plane/store/etcd/link';

it('lets etcd send ahead of a reader who is busy, more than a batch of writes', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const link = new EtcdLink({
    endpoint: `127.0.0.1:${port}`,
    credentials: credentials.createInsecure(),
    onLate: () => undefined,
  });
  try {
    link.openWatch().on('error', () => undefined);
    const [stream] = (await once(server, 'stream')) as [Http2Stream];
    // Both bound what may be on the way: of the stream, and of all on its connection.
    expect(stream.session?.remoteSettings.initialWindowSize).toBe(MIB);
    expect(stream.session?.state.remoteWindowSize).toBe(MIB);
  } finally {
    link.end();
    server.close();
  }
});

const MIB = 1024 * 1024;
