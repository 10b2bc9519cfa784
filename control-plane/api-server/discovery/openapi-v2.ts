import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';

/**
 * OpenAPI v2 without content: clients fall back to it for kinds that v3 does not have, and must
 * find there that nothing is known of them. Everything that is served is described in v3.
 */
export const serveOpenApiV2 = ({ path, headers }: ApiRequest): ApiResponse | undefined => {
  if (path !== '/openapi/v2') return undefined;
  if (!(headers['accept'] ?? '').includes(PROTOBUF)) return jsonResponse(DOCUMENT);
  return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: encoded() };
};

const DOCUMENT = {
  swagger: '2.0',
  info: { title: 'Kubernetes', version: 'unversioned' },
  paths: {},
  definitions: {},
};

/** The same as the gnostic protobuf: swagger=1, info=2 {title=1, version=2}, paths=8, definitions=9. */
const encoded = (): Uint8Array =>
  Buffer.concat([
    field(1, Buffer.from(DOCUMENT.swagger)),
    field(
      2,
      Buffer.concat([
        field(1, Buffer.from(DOCUMENT.info.title)),
        field(2, Buffer.from(DOCUMENT.info.version)),
      ]),
    ),
    field(8, Buffer.alloc(0)),
    field(9, Buffer.alloc(0)),
  ]);

/** A length-delimited field of fewer than 128 bytes. */
const field = (number: number, value: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of((number << 3) | 2, value.length), value]);

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
