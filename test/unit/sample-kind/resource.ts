import type { Resource } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';

export interface Voyage extends ApiObject {
  readonly spec: { readonly ship: string; readonly stops?: number };
  readonly status?: { readonly reached?: number };
}

/** A kind of nobody's, with its schema: upstream has none for it. */
export const VOYAGES: Resource<Voyage> = {
  group: 'fleet.example.com',
  version: 'v1',
  kind: 'Voyage',
  plural: 'voyages',
  isNamespaced: true,
  definition: {
    name: 'com.example.fleet.v1.Voyage',
    schema: {
      type: 'object',
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: {
          $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
        },
        spec: {
          type: 'object',
          properties: {
            ship: { type: 'string' },
            stops: { type: 'integer', format: 'int32', 'x-go-presence': 'pointer' },
          },
        },
        status: {
          type: 'object',
          properties: { reached: { type: 'integer', format: 'int32' } },
        },
      },
    },
  },
};
