import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { podIn } from '../../api/pod-in';
import { decode } from '../../api/schema/decode';
import { applyDefaults, kindOf, validate, warningsFor } from '../../api/scheme';
import type { ApiObject, PodSpec } from '../../api/types';
import type { MutableObject } from '../../control-plane/api-server/kinds/mutable';
import { STORED_KINDS } from '../../control-plane/api-server/kinds/served-kinds';
import { readManifests } from '../../api/yaml';

const USER = { name: 'admin', groups: [] };
const DIRECTORY = join(__dirname, '../../manifests');
const FILES = readdirSync(DIRECTORY).filter((name) => name.endsWith('.yaml'));
const textOf = (file: string): string => readFileSync(join(DIRECTORY, file), 'utf8');

/** The objects of a file as the API would store them. */
const objectsOf = (file: string): readonly ApiObject[] =>
  readManifests(textOf(file)).manifests.map(({ value }) => {
    const { apiVersion = '', kind = '' } = value as { apiVersion?: string; kind?: string };
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0]! : '';
    const info = kindOf({ group, kind });
    if (info === undefined) throw new Error(`${file}: kind ${kind} of ${apiVersion} is not served`);
    const { resource } = info;
    const { object } = decode(resource, value, { fieldValidation: 'Strict' });
    const metadata = object.metadata as { namespace?: string };
    if (resource.isNamespaced) metadata.namespace ??= 'default';
    applyDefaults(resource, object);
    const served = STORED_KINDS.find((each) => each.resource === resource);
    served?.strategy.prepareCreate?.(object as MutableObject, USER);
    validate(resource, object);
    return object;
  });

/** The pod specs of pods and of templates. */
const podSpecsOf = (file: string): readonly PodSpec[] =>
  objectsOf(file).flatMap((object) => {
    const spec = podIn(object)?.spec;
    return spec === undefined ? [] : [spec];
  });

describe('the examples', () => {
  it('are at least ten', () => expect(FILES.length).toBeGreaterThanOrEqual(10));

  it.each(FILES)('%s holds objects that the API accepts as they are', (file) => {
    const objects = objectsOf(file);
    expect(objects.length).toBeGreaterThan(0);
    expect(objects.flatMap(warningsFor)).toEqual([]);
  });

  it.each(FILES)('%s begins with what it shows', (file) => {
    expect(textOf(file)).toMatch(/^# \S.+\n/);
  });

  it.each(FILES)('%s runs without a network, on a small machine', (file) => {
    for (const { containers, initContainers = [] } of podSpecsOf(file)) {
      for (const { image, imagePullPolicy } of [...initContainers, ...containers]) {
        expect({ image, imagePullPolicy }).toEqual({
          image: 'dhow.local/busybox:1',
          imagePullPolicy: 'IfNotPresent',
        });
      }
      for (const { resources } of containers) {
        expect(resources?.requests?.['cpu']).toMatch(/^[12]0m$/);
        expect(resources?.requests?.['memory']).toMatch(/^(8|16)Mi$/);
      }
    }
  });

  it('give every object a name of its own', () => {
    const names = FILES.flatMap(objectsOf).map(
      ({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`,
    );
    expect(new Set(names).size).toBe(names.length);
  });
});
