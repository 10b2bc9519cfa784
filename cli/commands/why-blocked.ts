import { parseIp } from '../../lib/net/ip';
import type { Protocol } from '../../api/network-policies';
import {
  NETWORKING_GROUP,
  type ConnectionQuestion,
  type ConnectionReview,
} from '../../api/network-policies/review';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { formatViews, outputFormat } from '../output/format';
import { UsageError } from '../usage-error';
import { renderBlocked } from '../why';

export interface WhyBlockedOptions {
  readonly toNamespace?: string;
  readonly protocol?: string;
  readonly output?: string;
}

/**
 * Could one connect to the other now, and which policy, missing endpoint or port says so? No packet is
 * sent. Resolves with 0 when it could, else with 1.
 */
export const whyBlocked = async (
  { client, terminal, signal, namespace = 'default' }: CliContext,
  from: string,
  to: string,
  { toNamespace, protocol, output }: WhyBlockedOptions,
): Promise<number> => {
  const format = outputFormat(output);
  const spec = questionOf(from, to, protocol);
  const place = toNamespace === undefined ? {} : { namespace: toNamespace };
  const review = await client.json<ConnectionReview>({
    method: 'POST',
    path: `/apis/${NETWORKING_GROUP}/v1/namespaces/${encodeURIComponent(namespace)}/connectionreviews`,
    body: stringifyJson({
      apiVersion: `${NETWORKING_GROUP}/v1`,
      kind: 'ConnectionReview',
      spec: { ...spec, to: { ...place, ...spec.to } },
    }),
    signal,
  });
  const style = { color: terminal.isInteractive, width: terminal.columns };
  const table = () => renderBlocked({ from, to }, review.status, style);
  const names = review.status.attempts.map(({ pod, address }) => `pod/${pod ?? address}`);
  terminal.out.write(formatViews({ document: review, names, table }, format));
  return review.status.reachable ? 0 : 1;
};

/**
 * Pure: `pod/client`, `client` or an address, and `svc/web:80`, `svc/web.namespace:http`, `pod/web:8080`
 * `10.1.2.3:80` or `[fd00::1]:80`. @throws UsageError
 */
export const questionOf = (
  from: string,
  to: string,
  protocol: string | undefined,
): ConnectionQuestion => {
  const known = protocol?.toUpperCase();
  if (known !== undefined && !PROTOCOLS.includes(known))
    throw new UsageError(`--protocol: "${protocol}" is none of tcp, udp and sctp`);
  return {
    from: sourceOf(from),
    to: targetOf(to),
    ...(known === undefined ? {} : { protocol: known as Protocol }),
  };
};

const sourceOf = (text: string): ConnectionQuestion['from'] => {
  if (isAddress(text)) return { address: text };
  const [, kind = 'pod', name = ''] = /^(?:([^/]+)\/)?([^/:]+)$/.exec(text) ?? [];
  if (!POD_WORDS.includes(kind) || name === '')
    throw new UsageError(`"${text}": a connection comes from POD, pod/POD or an address`);
  return { pod: name };
};

const targetOf = (text: string): ConnectionQuestion['to'] => {
  const [, whole = '', portText] = /^(.*?)(?::([A-Za-z0-9-]+))?$/.exec(text) ?? [];
  const end = /^\[(.*)\]$/.exec(whole)?.[1] ?? whole;
  const port = portText === undefined ? {} : { port: portOf(portText) };
  if (isAddress(text)) return { address: text };
  if (isAddress(end)) return { address: end, ...port };
  const [, kind = 'pod', name = ''] = /^(?:([^/]+)\/)?([^/]+)$/.exec(end) ?? [];
  if (POD_WORDS.includes(kind) && name !== '') return { pod: name, ...port };
  // A Service's own name has no dots: after the first comes its namespace, as in DNS.
  const [service = '', namespace = ''] = name.split('.');
  if (!SERVICE_WORDS.includes(kind) || service === '')
    throw new UsageError(`"${text}": connect to svc/SERVICE:PORT, pod/POD:PORT or ADDRESS:PORT`);
  return { service, ...(namespace === '' ? {} : { namespace }), ...port };
};

const portOf = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text);

const isAddress = (text: string): boolean => typeof parseIp(text) !== 'string';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const POD_WORDS = ['pod', 'pods', 'po'];
const SERVICE_WORDS = ['svc', 'service', 'services'];
