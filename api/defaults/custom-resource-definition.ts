import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1';

/** Source: apiextensions-apiserver/pkg/apis/apiextensions/v1/defaults.go */
export const defaultCustomResourceDefinition = (
  definition: Partial<CustomResourceDefinition>,
): void => {
  const spec = definition.spec as Partial<CustomResourceDefinition['spec']> | undefined;
  if (spec === undefined) return;
  // A body may say null, which is none.
  spec.versions = (spec.versions as typeof spec.versions | null) ?? [];
  const names = (spec.names ??= { kind: '', plural: '' });
  const { kind = '' } = names as Partial<typeof names>;
  if ((names.singular ?? '') === '') names.singular = kind.toLowerCase();
  if ((names.listKind ?? '') === '' && kind !== '') names.listKind = `${kind}List`;
  const conversion = (spec.conversion ??= { strategy: 'None' });
  const service = conversion.webhook?.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
  defaultStoredVersions(definition, spec);
};

const defaultStoredVersions = (
  definition: Partial<CustomResourceDefinition>,
  { versions }: Partial<CustomResourceDefinition['spec']>,
): void => {
  const status = (definition.status ??= {} as NonNullable<CustomResourceDefinition['status']>);
  const known = status.storedVersions as string[] | null | undefined;
  if ((known ?? []).length > 0) return;
  const stored = versions?.find(({ storage }) => storage);
  if (stored !== undefined) status.storedVersions = [stored.name];
};
