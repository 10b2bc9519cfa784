import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { Clock } from '../clock';

/**
 * For one request each, and open for so long at the most: what Node and the exporter bound is silence alone,
 * and whoever answers byte by byte would hold a request, its spans and the end of the program for good.
 */
export const briefConnections = (protocol: string, limitMs: number, clock: Clock): Agent => {
  const agent = protocol === 'https:' ? new TlsAgent() : new Agent();
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, done) => {
    const socket = connect(options, done);
    if (socket != null)
      socket.once(
        'close',
        clock.after(limitMs, () => void socket.destroy()),
      );
    return socket;
  };
  return agent;
};
