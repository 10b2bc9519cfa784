import { join } from 'node:path';
import { runServer, type ServerStarted } from '../../../control-plane/server';

/** A whole control plane in this process, its etcd beside it. */
export interface RunningServer extends ServerStarted, AsyncDisposable {
  /** How it ended: resolves when it was stopped, rejects when it could not go on. */
  readonly ended: Promise<void>;
}

/** Keeps its state in `directory`, so that another can go on after it. @throws as `runServer` */
export const startServer = async (
  directory: string,
  config: object = {},
): Promise<RunningServer> => {
  const stop = new AbortController();
  const whole = {
    dataDir: join(directory, 'data'),
    runDir: join(directory, 'run'),
    listen: '127.0.0.1:0',
    logLevel: 'silent',
    heartbeatSeconds: 1,
    ...config,
  };
  let ended: Promise<void> = Promise.resolve();
  const started = await new Promise<ServerStarted>((resolve, reject) => {
    ended = runServer(whole, stop.signal, resolve);
    ended.catch(reject);
  });
  const dispose = async () => {
    stop.abort();
    await ended.catch(() => undefined);
  };
  return { ...started, ended, [Symbol.asyncDispose]: dispose };
};
