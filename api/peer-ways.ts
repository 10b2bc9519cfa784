/** How a node reaches the pods of others, in words for people; absent: it has not said. */
export const PEER_WAYS_ANNOTATION = 'dhow.dev/peer-ways';

/** What is kept of any text. */
export const normalPeerWays = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, '?').slice(0, PEER_WAYS_LENGTH_MAX);

const PEER_WAYS_LENGTH_MAX = 16 * 1024;
