import type { Node } from './types';

/** Where a node's proxy serves ingresses at its address: its ports, or `none`. */
export const INGRESS_PORTS_ANNOTATION = 'dhow.dev/ingress-ports';

/** None when the node has not said. */
export const ingressPortsOf = ({ metadata }: Pick<Node, 'metadata'>): readonly number[] =>
  parse(metadata.annotations?.[INGRESS_PORTS_ANNOTATION] ?? '');

export const formatIngressPorts = (ports: readonly number[]): string =>
  ports.length === 0 ? NONE : ports.join(',');

/** What is kept of any text. */
export const normalIngressPorts = (text: string): string => formatIngressPorts(parse(text));

/** Plain http and https. */
const parse = (text: string): readonly number[] =>
  /^\d{1,5}(,\d{1,5})?$/.test(text)
    ? text
        .split(',')
        .map(Number)
        .filter((port) => port >= 1 && port <= 65_535)
    : [];

const NONE = 'none';
