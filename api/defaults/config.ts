import type * as core from 'kubernetes-types/core/v1';

const NAME_LABEL = 'kubernetes.io/metadata.name';

/** `stringData` is a convenience for writers: it becomes part of `data` and is never stored. */
export const defaultSecret = (secret: core.Secret): void => {
  secret.type ??= 'Opaque';
  if (secret.stringData === undefined) return;
  const encoded = Object.entries(secret.stringData).map(
    ([key, value]) => [key, Buffer.from(value, 'utf8').toString('base64')] as const,
  );
  secret.data = Object.fromEntries([...Object.entries(secret.data ?? {}), ...encoded]);
  delete secret.stringData;
};

/** Selectors of namespaces may name a single one by this label. */
export const defaultNamespace = (namespace: core.Namespace): void => {
  const { metadata } = namespace;
  if (metadata?.name === undefined || metadata.name === '') return;
  metadata.labels = { ...metadata.labels, [NAME_LABEL]: metadata.name };
};

/** Unless the node says otherwise, pods may have all it has. */
export const defaultNode = (node: core.Node): void => {
  const { status } = node;
  if (status?.capacity === undefined) return;
  status.allocatable = { ...status.capacity, ...status.allocatable };
};
