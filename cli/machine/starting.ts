import { systemClock } from '../../lib/clock';
import { isJsonObject, parseJson } from '../../lib/json';
import { UsageError } from '../usage-error';
import type { Services, UnitState } from './systemd';

interface Starting {
  readonly services: Services;
  readonly unit: string;
  /** How it was before it was asked to start. */
  readonly before: UnitState;
  readonly say: (text: string) => void;
  /** Is it what it is started for? Undefined until then; asked once systemd calls it active. */
  readonly isDone: () => Promise<boolean>;
  readonly timeoutMs: number;
}

/**
 * Resolves when a service that was asked to start does its work. Says now and then what it waits for.
 * @throws UsageError with the end of its log when it fails, or when time is over: it goes on trying then
 */
export const untilStarted = async (starting: Starting, signal: AbortSignal): Promise<void> => {
  const { services, unit, before, say, isDone, timeoutMs } = starting;
  const startMs = systemClock.monotonicMs();
  let saidMs = startMs;
  for (;;) {
    signal.throwIfAborted();
    const state = await services.state(unit);
    const isNew = state.invocation !== before.invocation || before.active === 'active';
    if (isNew && state.active === 'active' && (await isDone())) return;
    if (state.active === 'failed' || state.restarts > RESTARTS_MAX)
      throw new UsageError(
        `${unit} does not start; its log ends with:\n${await tailOf(services, unit)}\n` +
          `More: journalctl -u ${unit}`,
      );
    const nowMs = systemClock.monotonicMs();
    if (nowMs - startMs > timeoutMs)
      throw new UsageError(
        `${unit} is not ready after ${Math.round(timeoutMs / 1000)} s, and goes on trying; its log ends with:\n` +
          `${await tailOf(services, unit)}\nWatch it: journalctl -fu ${unit}`,
      );
    if (nowMs - saidMs > SAY_EVERY_MS) {
      saidMs = nowMs;
      const [last = 'nothing'] = (await services.lastLines(unit, 1)).slice(-1);
      say(`${unit} is ${state.active}; it last said: ${wordsOfLine(last)}`);
    }
    await systemClock.sleep(POLL_MS, signal);
  }
};

const tailOf = async (services: Services, unit: string): Promise<string> =>
  (await services.lastLines(unit, TAIL_LINES)).map((line) => `  ${wordsOfLine(line)}`).join('\n');

/** Pure: what people read of a line of the log, which may be JSON. */
export const wordsOfLine = (line: string): string => {
  const fields = fieldsOf(line);
  const [msg, err] = [fields?.['msg'], fields?.['err']];
  const text = typeof msg === 'string' ? (typeof err === 'string' ? `${msg}: ${err}` : msg) : line;
  return text.length > LINE_MAX ? `${text.slice(0, LINE_MAX)}…` : text;
};

const fieldsOf = (line: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const parsed: unknown = parseJson(line);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    // A plain line.
    return undefined;
  }
};

/** A start may find that a port of an earlier one is not free yet. */
const RESTARTS_MAX = 2;
const POLL_MS = 300;
const SAY_EVERY_MS = 10_000;
const TAIL_LINES = 6;
const LINE_MAX = 400;
