import type { Clock } from '../lib/clock';
import { onAbort } from '../lib/async/on-abort';

/** Who started this program and wants to know how it is, as sd_notify(3) says. */
export interface ServiceManager {
  /** The program does its work from now on. */
  ready(): void;
}

/**
 * What systemd said in the environment, which is taken out of it: children are not to speak for this program.
 * Undefined where nobody asked. It hears that `signal` aborted, and as often as it wishes that the event loop runs.
 */
export const serviceManager = async (
  clock: Clock,
  signal: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ServiceManager | undefined> => {
  const wishes = wishesOf(env, process.pid);
  delete env['NOTIFY_SOCKET'];
  delete env['WATCHDOG_USEC'];
  delete env['WATCHDOG_PID'];
  if (wishes === undefined) return undefined;
  // Its library is loaded only where it is used.
  const { openNotifySocket } = await import('../runtime/notify-socket.js');
  const socket = openNotifySocket(wishes.socket);
  const teller = new Teller((state) => socket.send(state), clock);
  onAbort(signal, () => teller.tell('STOPPING=1'));
  if (wishes.watchdogMs !== undefined) teller.keepAlive(wishes.watchdogMs / 3);
  return { ready: () => teller.tell('READY=1') };
};

interface Wishes {
  readonly socket: string;
  /** It gives the program up for dead after so much silence. */
  readonly watchdogMs?: number;
}

/** @internal */
export const wishesOf = (env: NodeJS.ProcessEnv, pid: number): Wishes | undefined => {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: micros, WATCHDOG_PID: whose } = env;
  if (socket === undefined || !/^[/@]/.test(socket)) return undefined;
  const isOurs = whose === undefined || whose === String(pid);
  return isOurs && micros !== undefined && /^[1-9]\d{0,15}$/.test(micros)
    ? { socket, watchdogMs: Number(micros) / 1000 }
    : { socket };
};

/** @internal What is not taken at once, since the other side is busy, is said again. */
export class Teller {
  private readonly unsaid: string[] = [];

  constructor(
    private readonly send: (state: string) => boolean,
    private readonly clock: Clock,
  ) {}

  tell(state: string): void {
    const isFirst = this.unsaid.push(state) === 1;
    if (isFirst) void this.drain();
  }

  /** As long as the program is: who stops is watched as well. */
  keepAlive(intervalMs: number): void {
    // Another will follow: it need not be said again.
    this.send('WATCHDOG=1');
    this.clock.after(intervalMs, () => this.keepAlive(intervalMs));
  }

  private async drain(): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      while (this.unsaid[0] !== undefined && this.send(this.unsaid[0])) this.unsaid.shift();
      if (this.unsaid.length === 0) return;
      await this.clock.sleep(AGAIN_MS);
    }
    this.unsaid.length = 0;
  }
}

const TRIES_MAX = 100;
const AGAIN_MS = 100;
