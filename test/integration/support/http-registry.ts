import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

import { MANIFEST_TYPES } from '../../../runtime/images/manifest';
import { digestOf } from '../../../runtime/images/content-store';
import { buildTar } from '../../../runtime/rootfs/tar-builder';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

/** A registry on loopback whose every answer a test may replace. */
export class HttpRegistry implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  /** Path below the origin → what it holds. */
  readonly contents = new Map<string, Buffer>();
  /** Undefined: the request is answered from `contents`. */
  override: (path: string, request: IncomingMessage) => Answer | undefined = () => undefined;

  private constructor(private readonly server: Server) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.serve(request, response),
    );
  }

  static async open(): Promise<HttpRegistry> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new HttpRegistry(server);
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get origin(): string {
    return `http://${this.host}`;
  }

  /** Makes an image with one file pullable and returns what it is called. */
  publish(name: string, text = name): { readonly reference: string; readonly layer: string } {
    const tar = buildTar({ path: 'motd', content: text });
    const layer = this.put(name, gzipSync(tar));
    const config = this.put(name, Buffer.from(JSON.stringify(configOf(digestOf(tar)))));
    const manifest = {
      schemaVersion: 2,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...layer }],
    };
    const content = Buffer.from(JSON.stringify(manifest));
    this.contents.set(`/v2/${name}/manifests/1`, content);
    this.contents.set(`/v2/${name}/manifests/${digestOf(content)}`, content);
    return { reference: `${this.host}/${name}:1`, layer: layer.digest };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private put(name: string, content: Buffer): { digest: string; size: number } {
    this.contents.set(`/v2/${name}/blobs/${digestOf(content)}`, content);
    return { digest: digestOf(content), size: content.length };
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    const { method = '', headers } = request;
    this.seen.push({ method, path, authorization: headers.authorization });
    const answer = this.override(path, request);
    const content = this.contents.get(path);
    if (answer !== undefined) answer(request, response);
    else if (content === undefined) response.writeHead(404).end();
    else response.writeHead(200, headersOf(path, content)).end(content);
  }
}

const headersOf = (path: string, content: Buffer) => ({
  'content-length': content.length,
  ...(path.includes('/manifests/') && { 'content-type': MANIFEST_TYPES[0] }),
});

export const basicOf = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

const configOf = (diffId: string) => ({
  os: 'linux',
  architecture: process.arch === 'x64' ? 'amd64' : process.arch,
  config: { Cmd: ['/bin/sh'] },
  rootfs: { type: 'layers', diff_ids: [diffId] },
});
