import type { ApiObject } from '../../../api/types';
import type { ServedKind } from '../kinds/served-kind';

/** How much of each object goes into its row. */
export type IncludeObject = 'Metadata' | 'Object' | 'None';

export const parseIncludeObject = (text: string | null): IncludeObject =>
  text === 'Object' || text === 'None' ? text : 'Metadata';

/** metav1.Table for any number of objects. */
export const tableOf = (
  { printer }: Pick<ServedKind, 'printer'>,
  objects: readonly ApiObject[],
  metadata: Readonly<Record<string, unknown>>,
  includeObject: IncludeObject,
  nowMs: number,
) => ({
  kind: 'Table',
  apiVersion: META_VERSION,
  metadata,
  columnDefinitions: printer.columns.map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format: format ?? '',
    description: description ?? name,
    priority,
  })),
  rows: objects.map((object) => ({
    cells: printer.cells(object, nowMs),
    ...(includeObject === 'None'
      ? {}
      : { object: includeObject === 'Object' ? object : partialMetadata(object) }),
  })),
});

export const partialMetadata = ({ metadata }: ApiObject) => ({
  kind: 'PartialObjectMetadata',
  apiVersion: META_VERSION,
  metadata,
});

export const META_VERSION = 'meta.k8s.io/v1';
