import { structureOf } from '../ownership/structure';
import { applyPatch, MERGE_PATCH } from '../patch/patch';
import type { Resource } from '../resources';
import { decode } from './decode';
import { groupVersionParts, openApiV3 } from '../openapi';

const WIDGETS: Resource = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  isNamespaced: true,
  definition: {
    name: 'com.example.v1.Widget',
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
            size: { type: 'integer', format: 'int32', 'x-go-presence': 'pointer' },
            parts: {
              type: 'array',
              'x-kubernetes-list-type': 'map',
              'x-kubernetes-list-map-keys': ['name'],
              items: { type: 'object', properties: { name: { type: 'string' } } },
            },
          },
        },
      },
    },
  },
};

const widget = (spec: object) => ({ metadata: { name: 'w', labels: { a: 'b' } }, spec });

it('decodes a kind by the schema that it brings', () => {
  const { object, warnings } = decode(
    WIDGETS,
    widget({ size: 0, colour: 'red', parts: [{ name: 'p', weight: 1 }] }),
    { fieldValidation: 'Warn' },
  );
  expect(object).toEqual({
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    ...widget({ size: 0, parts: [{ name: 'p' }] }),
  });
  expect(warnings).toEqual(['unknown field "spec.colour"', 'unknown field "spec.parts[0].weight"']);
  expect(() => decode(WIDGETS, widget({ size: 'large' }))).toThrow(
    'cannot unmarshal string into Go struct field object.spec.size of type int32',
  );
});

it('owns and patches its fields by that schema', () => {
  const structure = structureOf(WIDGETS);
  const spec = structure.kind === 'map' ? structure.member('spec') : undefined;
  expect(spec?.kind === 'map' && spec.member('parts')).toMatchObject({
    kind: 'keyed',
    keys: [{ name: 'name' }],
  });
  const { object } = decode(WIDGETS, widget({ size: 1 }));
  expect(applyPatch(WIDGETS, MERGE_PATCH, object, { spec: { size: 2 } })).toMatchObject({
    spec: { size: 2 },
  });
});

it('describes it to clients', () => {
  const served = [{ resource: WIDGETS, verbs: ['get', 'list', 'create'], subresources: [] }];
  const { paths, components } = JSON.parse(
    [...openApiV3(groupVersionParts('example.com', 'v1', served))].join(''),
  ) as {
    readonly paths: Record<string, { readonly post: unknown }>;
    readonly components: { readonly schemas: Record<string, unknown> };
  };
  expect(
    JSON.stringify(paths['/apis/example.com/v1/namespaces/{namespace}/widgets']!.post),
  ).toContain('#/components/schemas/com.example.v1.Widget');
  expect(components.schemas).toHaveProperty(['com.example.v1.Widget']);
  expect(components.schemas).toHaveProperty(['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']);
});
