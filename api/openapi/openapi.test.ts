import { DEPLOYMENTS, PODS, SCHEDULING_DECISIONS } from '../resources';
import { groupVersionParts, openApiPath, openApiV3, openApiV3Index } from '.';

interface Part {
  readonly parameters: readonly { readonly name: string }[];
  readonly properties: Record<string, unknown>;
  readonly 'x-kubernetes-group-version-kind': unknown;
}

interface Document {
  readonly paths: Record<string, Record<string, Part>>;
  readonly components: { readonly schemas: Record<string, Part> };
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const served = [
  { resource: PODS, verbs, subresources: ['status', 'binding', 'eviction', 'log'] },
  { resource: DEPLOYMENTS, verbs, subresources: ['status', 'scale'] },
  { resource: SCHEDULING_DECISIONS, verbs: ['get', 'list', 'watch'], subresources: [] },
];
const documentOf = (group: string, version = 'v1') =>
  [...openApiV3(groupVersionParts(group, version, served))].join('');
const parse = (group: string, version = 'v1') => JSON.parse(documentOf(group, version)) as Document;

it('says that PATCH of a kind takes fieldValidation', () => {
  const { patch } = parse('').paths['/api/v1/namespaces/{namespace}/pods/{name}']!;
  expect(patch!['x-kubernetes-group-version-kind']).toEqual({
    group: '',
    kind: 'Pod',
    version: 'v1',
  });
  expect(patch!.parameters.map(({ name }) => name)).toContain('fieldValidation');
});

it('holds every schema its references reach, and no more', () => {
  const { paths, components } = parse('apps');
  const references = JSON.stringify({ paths, components }).matchAll(
    /"\$ref":"#\/components\/schemas\/([^"]+)"/g,
  );
  for (const [, name] of references) expect(components.schemas).toHaveProperty([name!]);
  expect(components.schemas).toHaveProperty(['io.k8s.api.apps.v1.DeploymentSpec']);
  expect(components.schemas).not.toHaveProperty(['io.k8s.api.core.v1.Node']);
});

it('documents a kind of our own, and only the verbs it has', () => {
  const { paths, components } = parse('scheduling.dhow.dev');
  const item =
    paths['/apis/scheduling.dhow.dev/v1/namespaces/{namespace}/schedulingdecisions/{name}'];
  expect(Object.keys(item!)).toEqual(['get', 'parameters']);
  expect(components.schemas).toHaveProperty(['dev.dhow.scheduling.v1.SchedulingDecision']);
});

it('lists documents by group version with their hash', () => {
  const index = openApiV3Index(new Map([[openApiPath('apps', 'v1'), { hash: 'ABC' }]]));
  expect(index.paths['apis/apps/v1']?.serverRelativeURL).toBe('/openapi/v3/apis/apps/v1?hash=ABC');
});

it('keeps to itself what only decoding reads', () => {
  expect(documentOf('')).not.toContain('"x-go-');
});

it('names merge keys of lists', () => {
  const { schemas } = parse('').components;
  const { containers } = schemas['io.k8s.api.core.v1.PodSpec']!.properties;
  expect(containers).toMatchObject({
    'x-kubernetes-patch-merge-key': 'name',
    'x-kubernetes-list-type': 'map',
  });
});
