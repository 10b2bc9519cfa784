import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../lib/clock';
import { readFileIfPresent, replaceFile } from '../../lib/files';

export interface BootstrapToken {
  /** Public half: 6 characters. */
  readonly id: string;
  /** Secret half: 16 characters. Never stored; lost once forgotten. */
  readonly secret: string;
  readonly expiresAtMs: number;
}

interface StoredToken {
  readonly id: string;
  readonly secretHash: string;
  readonly expiresAtMs: number;
  /** Made by a start of the server, not asked for by anybody. */
  readonly isOfStart?: boolean;
}

/** The tokens with which machines join. The file holds hashes only, and each token expires. */
export class BootstrapTokens {
  private constructor(
    private readonly path: string,
    private readonly clock: Clock,
    private tokens: readonly StoredToken[],
  ) {}

  static async open(path: string, clock: Clock): Promise<BootstrapTokens> {
    const text = await readFileIfPresent(path);
    return new BootstrapTokens(path, clock, text === undefined ? [] : parseTokens(path, text));
  }

  /** @throws Error when too many tokens are live. */
  async create(ttlMs = DEFAULT_TTL_MS): Promise<BootstrapToken> {
    const asked = this.live().filter(({ isOfStart }) => isOfStart !== true);
    if (asked.length >= MAX_TOKENS)
      throw new Error(
        `${MAX_TOKENS} join tokens are live already: revoke some, or let them expire`,
      );
    return this.add(this.live(), ttlMs, {});
  }

  /**
   * The token of a start of the server. A server that starts again and again forgets the oldest of
   * these, so that it always starts: however often, and however many tokens were asked for.
   */
  async createForStart(ttlMs = DEFAULT_TTL_MS): Promise<BootstrapToken> {
    const live = this.live();
    const ofStart = live.filter(({ isOfStart }) => isOfStart === true);
    const forgotten = new Set(ofStart.slice(0, Math.max(0, ofStart.length + 1 - MAX_START_TOKENS)));
    const kept = live.filter((token) => !forgotten.has(token));
    return this.add(kept, ttlMs, { isOfStart: true });
  }

  private live(): readonly StoredToken[] {
    return this.tokens.filter(({ expiresAtMs }) => expiresAtMs > this.clock.now());
  }

  private async add(
    others: readonly StoredToken[],
    ttlMs: number,
    more: Pick<StoredToken, 'isOfStart'>,
  ): Promise<BootstrapToken> {
    const [id, secret] = [randomText(6), randomText(16)];
    const expiresAtMs = this.clock.now() + ttlMs;
    await this.save([...others, { id, secretHash: hashOf(secret), expiresAtMs, ...more }]);
    return { id, secret, expiresAtMs };
  }

  /** True for a live `id.secret`. Takes the same time whichever character is wrong. */
  verify(token: string): boolean {
    const [id = '', secret = '', ...more] = token.split('.');
    const stored = this.tokens.find((candidate) => candidate.id === id);
    const expected = Buffer.from(stored?.secretHash ?? hashOf(''), 'hex');
    const matches = timingSafeEqual(expected, Buffer.from(hashOf(secret), 'hex'));
    return (
      matches && more.length === 0 && stored !== undefined && stored.expiresAtMs > this.clock.now()
    );
  }

  async revoke(id: string): Promise<void> {
    await this.save(this.tokens.filter((token) => token.id !== id));
  }

  private async save(tokens: readonly StoredToken[]): Promise<void> {
    await replaceFile(this.path, JSON.stringify(tokens, undefined, 2) + '\n');
    this.tokens = tokens;
  }
}

const parseTokens = (path: string, text: string): readonly StoredToken[] => {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.every(isStoredToken)) return parsed;
  } catch {
    // Reported below.
  }
  throw new Error(`${path} is not a list of join tokens: remove it to start without any`);
};

const isStoredToken = (value: unknown): value is StoredToken => {
  const token = value as Partial<Record<keyof StoredToken, unknown>> | null;
  return (
    typeof token?.id === 'string' &&
    typeof token.secretHash === 'string' &&
    /^[0-9a-f]{64}$/.test(token.secretHash) &&
    typeof token.expiresAtMs === 'number'
  );
};

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

const randomText = (length: number): string =>
  Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const DEFAULT_TTL_MS = 24 * 3_600_000;
const MAX_TOKENS = 1000;
const MAX_START_TOKENS = 16;
