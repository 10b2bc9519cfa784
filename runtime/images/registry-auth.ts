import type { RegistryCredentials } from '../image-service';
import type { RegistryEndpoint } from './endpoints';
import { exchange, readBody, type HttpDeps } from './http';
import { RegistryStatusError } from './registry-errors';

/** A registry's `WWW-Authenticate`: how it wants to be asked. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer';
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    };

/** Parses the first challenge that is understood. */
export const parseChallenge = (header: string): Challenge | undefined => {
  if (header.length > 8192) return undefined;
  const match = /(?:^|,\s*)(basic|bearer)\b(.*)$/is.exec(header);
  if (match === null) return undefined;
  if (match[1]?.toLowerCase() === 'basic') return { scheme: 'basic' };
  const params = new Map<string, string>();
  for (const [, name, quoted, token] of (match[2] ?? '').matchAll(
    /([a-z_]+)=(?:"([^"]*)"|([^\s",]+))/gi,
  )) {
    if (name !== undefined) params.set(name.toLowerCase(), quoted ?? token ?? '');
  }
  const realm = params.get('realm');
  if (realm === undefined) return undefined;
  return { scheme: 'bearer', realm, service: params.get('service'), scope: params.get('scope') };
};

/** Answers challenges of one repository of one registry and remembers the answer. */
export class RegistryAuthorizer {
  private header: string | undefined;
  private isIdentified = false;

  constructor(
    private readonly endpoint: RegistryEndpoint,
    private readonly repository: string,
    private readonly credentials: RegistryCredentials | undefined,
    private readonly deps: HttpDeps,
  ) {
    this.header = endpoint.authorization;
  }

  /** The Authorization header to send now, if any. */
  get authorization(): string | undefined {
    return this.header;
  }

  /** The credentials that were sent, if any were. */
  get usedCredentials(): RegistryCredentials | undefined {
    return this.isIdentified ? this.credentials : undefined;
  }

  /** Reacts to a 401. False: there is nothing else to try. */
  async answer(wwwAuthenticate: string | undefined, signal: AbortSignal): Promise<boolean> {
    const challenge = parseChallenge(wwwAuthenticate ?? '');
    const used = this.header;
    if (challenge?.scheme === 'basic' && this.credentials !== undefined) {
      this.header = this.identify(this.credentials);
    } else if (challenge?.scheme === 'bearer') {
      this.header = `Bearer ${await this.token(challenge, signal)}`;
    }
    return this.header !== used;
  }

  private async token(
    { realm, service, scope }: Extract<Challenge, { scheme: 'bearer' }>,
    signal: AbortSignal,
  ): Promise<string> {
    const url = this.tokenUrl(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', scope ?? `repository:${this.repository}:pull`);
    const headers =
      this.credentials === undefined ? {} : { authorization: this.identify(this.credentials) };
    const isOwn = url.origin === new URL(this.endpoint.baseUrl).origin;
    const tls = isOwn ? this.endpoint.tls : undefined;
    const response = await exchange(url, { method: 'GET', headers, tls }, this.deps, signal);
    if (response.status !== 200) {
      response.body.destroy();
      const message = `failed to authorize: failed to fetch a token from ${url.origin}: status ${response.status}`;
      throw new RegistryStatusError(response.status, message);
    }
    return tokenOf(await readBody(response, ANSWER_MAX_BYTES, this.deps), url);
  }

  /** Credentials are as safe on the way to it as they are on the way to the registry. */
  private tokenUrl(realm: string): URL {
    const { origin, protocol } = new URL(this.endpoint.baseUrl);
    if (!URL.canParse(realm)) throw new Error(`${origin} names no URL that gives tokens`);
    const url = new URL(realm);
    const isAllowed =
      url.protocol === 'https:' || (url.protocol === 'http:' && protocol === 'http:');
    if (!isAllowed) throw new Error(`refused to ask ${url.origin} for a token: not https`);
    return url;
  }

  private identify(credentials: RegistryCredentials): string {
    this.isIdentified = true;
    return basicOf(credentials);
  }
}

const tokenOf = (body: Buffer, { origin }: URL): string => {
  const json = fieldsOf(body);
  const token = json.token ?? json.access_token;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new Error(`no token in the answer of ${origin}`);
  if (token.length > TOKEN_MAX_CHARACTERS)
    throw new Error(`the token of ${origin} exceeds ${TOKEN_MAX_CHARACTERS} characters`);
  return token;
};

const fieldsOf = (body: Buffer): { readonly token?: unknown; readonly access_token?: unknown } => {
  try {
    return (JSON.parse(body.toString('utf8')) ?? {}) as object;
  } catch {
    return {};
  }
};

const basicOf = ({ username, password }: RegistryCredentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

const ANSWER_MAX_BYTES = 256 * 1024;
/** It is sent with every request. */
const TOKEN_MAX_CHARACTERS = 32 * 1024;
