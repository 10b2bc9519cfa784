import { stringifyJson } from '../../../lib/json';
import type { Clock } from '../../../lib/clock';
import type { Log } from '../../../lib/log';
import {
  parseAuthenticationConfig,
  type AnonymousConfig,
  type AuthenticationConfig,
  type JwtAuthenticator,
} from './authentication-config';
import { TokenRefusedError } from './claim-rules';
import { OidcAuthenticator, type FetchDocument } from './oidc';
import type { TokenAuthenticator } from './token-issuer';
import type { User } from './user';

export interface ConfiguredAuthenticationDeps {
  /** The file's text as it is now. */
  readonly read: () => Promise<string>;
  readonly fetchBy: (certificateAuthority: string | undefined) => FetchDocument;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Knows users as a file of AuthenticationConfiguration says, which may change at any time. One that is
 * wrong is told of, and what was there before goes on.
 */
export class ConfiguredAuthentication implements TokenAuthenticator {
  private authenticators: readonly OidcAuthenticator[] = [];
  private anonymousConfig: AnonymousConfig | undefined;

  private constructor(
    private readonly deps: ConfiguredAuthenticationDeps,
    private text: string,
  ) {
    this.become(parseAuthenticationConfig(text));
  }

  /** @throws Error when the file cannot be read, or is wrong */
  static async open(deps: ConfiguredAuthenticationDeps): Promise<ConfiguredAuthentication> {
    return new ConfiguredAuthentication(deps, await deps.read());
  }

  /** Undefined: the file says nothing of requests without a name. */
  get anonymous(): AnonymousConfig | undefined {
    return this.anonymousConfig;
  }

  async userOf(token: string, signal: AbortSignal): Promise<User | undefined> {
    for (const each of this.authenticators) {
      const user = await each.userOf(token, signal);
      if (user !== undefined) return user;
    }
    return undefined;
  }

  /** Looks at the file again and again until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    for (;;) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      if (signal.aborted) return;
      await this.look();
    }
  }

  private async look(): Promise<void> {
    const { read, log } = this.deps;
    try {
      const text = await read();
      if (text === this.text) return;
      this.text = text;
      this.become(parseAuthenticationConfig(text));
      log.info({}, 'authentication configuration reloaded');
    } catch (err) {
      log.error({ err }, 'authentication configuration not reloaded');
    }
  }

  private become({ jwt, anonymous }: AuthenticationConfig): void {
    this.authenticators = jwt.map((each) => this.authenticatorFor(each));
    this.anonymousConfig = anonymous;
  }

  private authenticatorFor({
    issuer,
    certificateAuthority,
    rules,
  }: JwtAuthenticator): OidcAuthenticator {
    const { clock, log, fetchBy } = this.deps;
    return new OidcAuthenticator({
      ...{ issuer, clock, log, fetch: fetchBy(certificateAuthority) },
      userOfClaims: (claims) => {
        try {
          return rules.userOf(claims);
        } catch (error) {
          if (!(error instanceof TokenRefusedError)) throw error;
          log.debug({ issuer: issuer.url, why: stringifyJson(error.message) }, 'token refused');
          return undefined;
        }
      },
    });
  }
}

const LOOK_EVERY_MS = 10_000;
