import { SERVICES } from '../../api/resources';
import type { Service } from '../../api/types';
import type { CliContext } from '../context';
import { printable } from '../output/terminal';

/** Prints where the API is, and the services that belong to the cluster itself. Source: kubectl cluster-info. */
export const clusterInfo = async ({
  client,
  config,
  terminal,
  signal,
}: CliContext): Promise<void> => {
  const { items } = await client.list<Service>(
    SERVICES,
    { namespace: 'kube-system', labelSelector: 'kubernetes.io/cluster-service=true' },
    signal,
  );
  const line = (name: string, url: string) =>
    terminal.out.write(printable(`${name} is running at ${url}\n`));
  line('Kubernetes control plane', config.server);
  for (const service of items) line(nameOf(service), urlOf(service, config.server));
  terminal.out.write(
    "\nTo see what is wrong, use 'dhow get nodes', 'dhow events -A' and 'dhow top scheduler'.\n",
  );
};

const nameOf = ({ metadata: { name, labels } }: Service): string =>
  labels?.['kubernetes.io/name'] ?? name;

/** By way of the API, which reaches what the user does not. */
const urlOf = ({ metadata: { namespace = '', name }, spec }: Service, server: string): string => {
  const [port] = spec?.ports ?? [];
  const scheme = port?.name === 'https' || port?.port === 443 ? 'https:' : '';
  const suffix = port?.name === undefined ? '' : `:${port.name}`;
  const base = server.replace(/\/$/, '');
  return `${base}/api/v1/namespaces/${namespace}/services/${scheme}${name}${suffix}/proxy`;
};
