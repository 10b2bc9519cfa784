import { notFound } from '../../api/errors';
import { apiVersionOf, SERVERS } from '../../api/resources';
import type { ServerView } from '../../api/servers';
import type { ObjectName } from '../../api/types';
import type { ListResult } from '../../client/api-client';
import type { VirtualResource } from '../../client/virtual-resource';
import { rfc3339 } from '../../lib/clock';
import { labelText, metric } from '../../lib/metrics-text';
import { hostPort } from '../../lib/net/ip';
import type { Leading, ServerRecord, Servers } from '../store';

/** The servers of the cluster, for people and for whoever watches over them. */
export class ServerViews implements VirtualResource<ServerView> {
  readonly resource = SERVERS;
  private listCount = 0;

  constructor(
    private readonly servers: Servers,
    private readonly leading: Pick<Leading, 'leader'>,
  ) {}

  /** @throws NotFound */
  async get({ name }: ObjectName): Promise<ServerView> {
    const found = this.servers.live().find(({ id }) => id === name);
    if (found === undefined) throw notFound(SERVERS.plural, SERVERS.group, name);
    return this.view(found);
  }

  async list(): Promise<ListResult<ServerView>> {
    const items = this.servers.live().map((each) => this.view(each));
    return { items, resourceVersion: String(++this.listCount) };
  }

  lines(): readonly string[] {
    const series = this.servers.live().map(({ id, api, version }) => {
      const labels = { server: id, api: hostPort(api.host, api.port), version };
      return [labelText(labels), 1] as const;
    });
    return metric('dhow_server_info', 'gauge', 'The servers of the cluster that live.', series);
  }

  private view({ id, api, agents, hostName, version, sinceMs }: ServerRecord): ServerView {
    return {
      apiVersion: apiVersionOf(SERVERS),
      kind: SERVERS.kind,
      metadata: { name: id, creationTimestamp: rfc3339(sinceMs) },
      status: {
        api: hostPort(api.host, api.port),
        agents: hostPort(agents.host, agents.port),
        ...{ hostName, version },
        leads: this.leading.leader === id,
        nodes: this.servers.nodeCountOf(id),
      },
    };
  }
}
