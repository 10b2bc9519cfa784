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
    const token = {
      id: randomText(6),
      secret: randomText(16),
      expiresAtMs: this.clock.now() + ttlMs,
    };
    const live = this.tokens.filter(({ expiresAtMs }) => expiresAtMs > this.clock.now());
    if (live.length >= MAX_TOKENS) throw new Error(`more than ${MAX_TOKENS} join tokens are live`);
    const { id, expiresAtMs } = token;
    await this.save([...live, { id, secretHash: hashOf(token.secret), expiresAtMs }]);
    return token;
  }

  /** True for a live `id.secret`. Takes the same time whichever character is wrong. */
  verify(token: string): boolean {
    const [id = '', secret = ''] = token.split('.', 2);
    const stored = this.tokens.find((candidate) => candidate.id === id);
    const expected = Buffer.from(stored?.secretHash ?? hashOf(''), 'hex');
    const matches = timingSafeEqual(expected, Buffer.from(hashOf(secret), 'hex'));
    return matches && stored !== undefined && stored.expiresAtMs > this.clock.now();
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
