import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { WebhookCallError } from './call-error';

/** Where a webhook is, as configurations and definitions say it: by exactly one of URL and service. */
export interface WebhookTarget {
  readonly url?: string;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly path?: string;
    readonly port?: number;
  };
  /** PEM in base64. Absent: the authorities that come with the program. */
  readonly caBundle?: string;
}

/** Where a service is to be reached right now. @throws ApiError when there is none */
export type ResolveService = (
  namespace: string,
  name: string,
  port: number,
  signal: AbortSignal,
) => Promise<{ readonly host: string; readonly port: number }>;

/** What a connection needs to know. */
export interface Place {
  /** Whose name the certificate must have. */
  readonly serverName: string;
  readonly port: number;
  readonly path: string;
  /** `https://host:port/path`, as messages show it. */
  readonly shownUrl: string;
  /** For the `Host` header. */
  readonly authority: string;
}

/** @throws WebhookCallError */
export const placeOf = ({ url, service }: WebhookTarget): Place => {
  if (service !== undefined) {
    const { namespace, name, path = '', port = HTTPS_PORT } = service;
    const serverName = `${name}.${namespace}.svc`;
    const authority = `${serverName}:${port}`;
    const absolute = path.startsWith('/') ? path : `/${path}`;
    const shownUrl = `https://${authority}${absolute}`;
    return { serverName, port, path: absolute, shownUrl, authority };
  }
  if (url === undefined || !URL.canParse(url))
    throw new WebhookCallError('webhook configuration must have either service or URL');
  const { hostname, port, pathname, host, protocol } = new URL(url);
  if (protocol !== 'https:')
    throw new WebhookCallError(`unsupported protocol scheme "${protocol}"`);
  return {
    serverName: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? HTTPS_PORT : Number(port),
    path: pathname,
    shownUrl: `https://${host}${pathname}`,
    authority: host,
  };
};

/** PEM of the authorities that may have signed. @throws WebhookCallError when there are none in it */
export const authoritiesOf = (caBundle: string | undefined): readonly string[] | undefined => {
  if (caBundle === undefined || caBundle === '') return undefined;
  const text = Buffer.from(caBundle, 'base64').toString('latin1');
  const blocks = [...text.matchAll(PEM)].map(([block]) => block).slice(0, AUTHORITIES_MAX);
  if (blocks.length === 0 || !blocks.every(isCertificate))
    throw new WebhookCallError(
      'unable to load root certificates: unable to parse bytes as PEM block',
    );
  return blocks;
};

const isCertificate = (pem: string): boolean => {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
};

/** TLS knows names only; an address is held against the certificate all the same. */
export const isAddress = (host: string): boolean => isIP(host) !== 0;

const HTTPS_PORT = 443;
const AUTHORITIES_MAX = 100;
const PEM = /-----BEGIN CERTIFICATE-----[^-]{1,65536}-----END CERTIFICATE-----/g;
