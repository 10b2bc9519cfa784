import { isWireguardKey } from '../lib/net/wireguard-key';
import type { Node } from './types';

/** Under which key of WireGuard a node takes packets, and at which port; `none`: it does not encrypt. */
export const WIREGUARD_ANNOTATION = 'dhow.dev/wireguard';

export interface WireguardEnd {
  /** Of Curve25519, in base64. */
  readonly publicKey: string;
  /** Of UDP, at the node's addresses. */
  readonly port: number;
}

/** Undefined when the node has not said, or says that it does not encrypt. */
export const wireguardEndOf = ({ metadata }: Pick<Node, 'metadata'>): WireguardEnd | undefined =>
  parseWireguardEnd(metadata.annotations?.[WIREGUARD_ANNOTATION] ?? '');

export const formatWireguardEnd = (end: WireguardEnd | undefined): string =>
  end === undefined ? NONE : `${end.publicKey}:${end.port}`;

/** What is kept of any text. */
export const normalWireguardEnd = (text: string): string =>
  formatWireguardEnd(parseWireguardEnd(text));

/** Undefined for whatever is none. */
export const parseWireguardEnd = (text: string): WireguardEnd | undefined => {
  const [, publicKey = '', digits] = END.exec(text) ?? [];
  const port = Number(digits);
  return isWireguardKey(publicKey) && port <= 65_535 ? { publicKey, port } : undefined;
};

const END = /^(.{44}):([1-9]\d{0,4})$/;
const NONE = 'none';
