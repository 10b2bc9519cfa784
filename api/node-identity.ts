/**
 * Which keys may act as a node, and which agent may ask for another: JSON on the Node itself, so
 * that it ends with the node. Written by the server alone.
 */
export const NODE_IDENTITY_ANNOTATION = 'dhow.dev/node-identity';
