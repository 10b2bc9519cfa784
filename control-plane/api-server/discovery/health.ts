import { jsonResponse, textResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { timedController } from '../../../lib/async/timed-controller';
import type { Clock } from '../../../lib/clock';

/** Something that must be well for the server to be. */
export interface HealthCheck {
  readonly name: string;
  /** Rejects when it is not. */
  check(signal: AbortSignal): Promise<unknown>;
}

/** As /version tells it; `gitVersion` is a semantic version that clients compare with theirs. */
export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

export interface HealthDeps {
  readonly checks: readonly HealthCheck[];
  readonly version: VersionInfo;
  readonly clock: Clock;
}

/** The paths that need no certificate; undefined for any other. */
export const servePublic = async (
  { path, method, query, signal }: ApiRequest,
  { checks, version, clock }: HealthDeps,
): Promise<ApiResponse | undefined> => {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  if (path === '/version' || path === '/version/') return jsonResponse(version);
  const match = /^\/(livez|readyz|healthz)(?:\/([a-z0-9-]+))?\/?$/.exec(path);
  if (match === null) return undefined;
  const [, endpoint = '', only] = match;
  const wanted = only === undefined ? checks : checks.filter(({ name }) => name === only);
  if (wanted.length === 0 && only !== undefined) return undefined;
  // A server without its store is alive: restarting it would not help.
  const results = await Promise.all(
    (endpoint === 'livez' ? wanted.filter(({ name }) => name === 'ping') : wanted).map((one) =>
      run(one, clock, signal),
    ),
  );
  return report(endpoint, results, query.has('verbose'));
};

interface Result {
  readonly name: string;
  readonly isOk: boolean;
}

const run = async (health: HealthCheck, clock: Clock, signal: AbortSignal): Promise<Result> => {
  const { name } = health;
  using timeout = timedController(clock, CHECK_TIMEOUT_MS, signal);
  try {
    await health.check(timeout.signal);
    return { name, isOk: true };
  } catch {
    return { name, isOk: false };
  }
};

const report = (endpoint: string, results: readonly Result[], isVerbose: boolean): ApiResponse => {
  const isOk = results.every((result) => result.isOk);
  if (isOk && !isVerbose) return textResponse('ok');
  const lines = results.map(({ name, isOk: passed }) =>
    passed ? `[+]${name} ok` : `[-]${name} failed: reason withheld`,
  );
  const verdict = `${endpoint} check ${isOk ? 'passed' : 'failed'}`;
  return textResponse([...lines, verdict, ''].join('\n'), isOk ? 200 : 500);
};

const CHECK_TIMEOUT_MS = 3000;
