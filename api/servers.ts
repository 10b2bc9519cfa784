import type { ApiObject } from './types';

export const SERVERS_GROUP = 'cluster.dhow.dev';

/** One of the servers of a cluster, as the others know it. Named by its identity. */
export interface ServerView extends ApiObject {
  readonly status: {
    /** `HOST:PORT` of its API, and of the port where agents connect. */
    readonly api: string;
    readonly agents: string;
    readonly hostName: string;
    readonly version: string;
    /** Does it run the scheduler and the controllers? */
    readonly leads: boolean;
    /** How many nodes are connected to it. */
    readonly nodes: number;
  };
}
