import { jsonResponse, textResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { timedController } from '../../../lib/async/timed-controller';
import type { Clock } from '../../../lib/clock';
import { stringifyJson } from '../../../lib/json';

/** Something that must be well for the server to be. */
export interface HealthCheck {
  readonly name: string;
  /** Who asks for it. A server without its store is alive: restarting it would not help. */
  readonly endpoints: readonly HealthEndpoint[];
  /** Rejects when it is not. */
  check(signal: AbortSignal): Promise<unknown>;
}

export type HealthEndpoint = 'livez' | 'readyz' | 'healthz';

/** As /version tells it; `gitVersion` is a semantic version that clients compare with theirs. */
export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly emulationMajor: string;
  readonly emulationMinor: string;
  readonly minCompatibilityMajor: string;
  readonly minCompatibilityMinor: string;
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

/** The paths that need no certificate, and tell no reasons; undefined for any other. */
export const servePublic = async (
  { path, method, query, signal }: ApiRequest,
  { checks, version, clock }: HealthDeps,
): Promise<ApiResponse | undefined> => {
  if (method !== 'GET') return undefined;
  if (path === '/version' || path === '/version/') return versionResponse(version);
  const { endpoint, name } = healthPath(path) ?? {};
  if (endpoint === undefined || name !== undefined) return undefined;
  const excluded = new Set(query.getAll('exclude').slice(0, EXCLUDED_MAX));
  const results = await Promise.all(
    checks
      .filter(({ endpoints }) => endpoints.includes(endpoint))
      .map(async (check): Promise<Result> => {
        const isExcluded = excluded.delete(check.name);
        const why = isExcluded ? undefined : await failureOf(check, clock, signal);
        return { name: check.name, isExcluded, isOk: why === undefined };
      }),
  );
  return report(endpoint, results, [...excluded].sort(), query.has('verbose'));
};

/** `/readyz/etcd`: one check, with its reason, for who may see it; undefined for other paths. */
export const serveCheck = async (
  { path, method, signal }: ApiRequest,
  { checks, clock }: HealthDeps,
): Promise<ApiResponse | undefined> => {
  const { endpoint, name } = healthPath(path) ?? {};
  const check = checks.find(
    (each) => each.name === name && endpoint !== undefined && each.endpoints.includes(endpoint),
  );
  if (method !== 'GET' || check === undefined) return undefined;
  const why = await failureOf(check, clock, signal);
  return why === undefined
    ? textResponse('ok')
    : textResponse(`internal server error: ${why}\n`, 500);
};

/** Upstream writes this one document for people to read. */
const versionResponse = (version: VersionInfo): ApiResponse => ({
  ...jsonResponse(version),
  body: stringifyJson(version, 2),
});

interface Result {
  readonly name: string;
  readonly isExcluded: boolean;
  readonly isOk: boolean;
}

const healthPath = (path: string) => {
  const match = /^\/(livez|readyz|healthz)(?:\/([a-z0-9/-]+?))?\/?$/.exec(path);
  return match === null ? undefined : { endpoint: match[1] as HealthEndpoint, name: match[2] };
};

/** Why it is not well. */
const failureOf = async (
  health: HealthCheck,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> => {
  using timeout = timedController(clock, CHECK_TIMEOUT_MS, signal);
  try {
    await health.check(timeout.signal);
    return undefined;
  } catch (error) {
    if (timeout.signal.aborted) return 'it did not answer in time';
    return error instanceof Error ? error.message : String(error);
  }
};

/** In upstream's words. */
const report = (
  endpoint: string,
  results: readonly Result[],
  unknown: readonly string[],
  isVerbose: boolean,
): ApiResponse => {
  const isOk = results.every((result) => result.isOk);
  if (isOk && !isVerbose) return textResponse('ok');
  const lines = results.map(({ name, isExcluded, isOk: passed }) =>
    isExcluded
      ? `[+]${name} excluded: ok`
      : passed
        ? `[+]${name} ok`
        : `[-]${name} failed: reason withheld`,
  );
  const warning =
    unknown.length === 0
      ? []
      : [
          'warn: some health checks cannot be excluded: no matches for ' +
            unknown.map((name) => stringifyJson(name)).join(','),
        ];
  const verdict = `${endpoint} check ${isOk ? 'passed' : 'failed'}`;
  return textResponse([...lines, ...warning, verdict, ''].join('\n'), isOk ? 200 : 500);
};

const CHECK_TIMEOUT_MS = 3000;
/** Names that match nothing are told back. */
const EXCLUDED_MAX = 100;
