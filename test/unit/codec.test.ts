import * as fc from 'fast-check';

import { cloneJson, jsonEqual } from '../../api/json-value';
import { KINDS } from '../../api/kinds';
import { decodeProtobuf } from '../../api/protobuf/decode';
import { messageOf } from '../../api/protobuf/messages';
import { encodeProtobuf } from '../../api/protobuf/testing';
import { decode } from '../../api/schema/decode';
import type { KindName } from '../../api/schema/definitions';
import { extremeObject } from '../../api/schema/testing';
import type { ApiObject, Deployment, Node, Pod, PodTemplate, ReplicaSet } from '../../api/types';
import { readYaml, toYaml } from '../../api/yaml';
import { itemOf } from '../../control-plane/api-server/objects/item';
import { isFromTemplate, templateHash } from '../../control-plane/controllers/deployment/template';
import { Assignments } from '../../control-plane/nodes/assignments';
import { decodeObject, encodeObject } from '../../control-plane/store/object-codec';
import { canonicalJson, parseJson, stringifyJson } from '../../lib/json';

const NAMES = KINDS.map(({ resource }) => resource);

const RUNS = { numRuns: 12 };

/** Runs `check` on decoded objects of the kind, extreme in every field. */
const forExtremes = (name: (typeof NAMES)[number], check: (object: ApiObject) => void): void =>
  fc.assert(
    fc.property(extremeObject(name), (value) => {
      const { object } = decode(name, value);
      check({ ...object, metadata: { ...object.metadata, name: 'a' } });
    }),
    RUNS,
  );

it.each(NAMES)(
  '$kind is read back as it was written: JSON, YAML, protobuf, store, copies',
  (name) => {
    forExtremes(name, (object) => {
      const text = canonicalJson(object);
      expect(canonicalJson(parseJson(stringifyJson(object)))).toBe(text);
      expect(canonicalJson(readYaml(toYaml(object))[0]?.value)).toBe(text);
      expect(canonicalJson(parseJson(itemOf(object).raw))).toBe(text);
      expectStored(object);
      expectOnTheWire(name, object);
      expectEquality(object);
    });
  },
);

const expectStored = (object: ApiObject): void => {
  const stored = decodeObject({} as never, encodeObject(object), 7).object;
  const { resourceVersion, ...metadata } = stored.metadata;
  const { resourceVersion: _version, ...expected } = object.metadata;
  expect(resourceVersion).toBe('7');
  expect(canonicalJson({ ...stored, metadata })).toBe(
    canonicalJson({ ...object, metadata: expected }),
  );
};

const expectOnTheWire = (name: KindName, object: ApiObject): void => {
  if (messageOf(name) === undefined) return;
  const { object: body, unread } = decodeProtobuf(encodeProtobuf(name, object));
  expect(unread).toEqual([]);
  const read = decode(name, body).object;
  const sent = withoutInnerTypes(object);
  expect(canonicalJson(withoutEmpty(read))).toBe(canonicalJson(withoutEmpty(sent)));
};

/** Messages have no place for the `apiVersion` and `kind` of objects inside them. */
const withoutInnerTypes = (object: ApiObject): unknown => {
  const spec = (object as { spec?: { volumeClaimTemplates?: readonly ApiObject[] } }).spec;
  const claims = spec?.volumeClaimTemplates;
  if (!Array.isArray(claims)) return object;
  const volumeClaimTemplates = claims.map((claim: ApiObject) => {
    const { apiVersion: _version, kind: _kind, ...rest } = claim;
    return rest;
  });
  return { ...object, spec: { ...spec, volumeClaimTemplates } };
};

/** On the wire an empty list or map and none are the same. */
const withoutEmpty = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (Object.keys(value).length === 0) return null;
  if (Array.isArray(value)) return value.map(withoutEmpty);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutEmpty(each)]));
};

const expectEquality = (object: ApiObject): void => {
  const copy = cloneJson(object);
  expect(copy).not.toBe(object);
  expect(jsonEqual(copy, object)).toBe(true);
  expect(jsonEqual(parseJson(canonicalJson(object)), object)).toBe(true);
  expect(jsonEqual({ ...copy, more: 2n ** 60n }, object)).toBe(false);
};

const [POD] = NAMES.filter(({ kind }) => kind === 'Pod');
const [DEPLOYMENT] = NAMES.filter(({ kind }) => kind === 'Deployment');

const NODE: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n' },
  spec: {},
  status: {},
};

it('reaches an agent whole, and once', () => {
  forExtremes(POD!, (object) => {
    const pod = { ...object, metadata: { ...object.metadata, uid: 'u', resourceVersion: '1' } };
    let assigned = pod as Pod;
    const assignments = new Assignments({
      nodeName: 'n',
      podIndex: { podsOn: () => [assigned] },
      secrets: { get: () => undefined },
      configMaps: { get: () => undefined },
      claims: { get: () => undefined },
      nodeVolumes: { volumesOf: () => [] },
      tokens: { tokens: () => [] },
      csi: { drivers: () => [], attachmentsOf: () => [], secretKeysOf: () => [] },
      runtimeClasses: { get: () => undefined },
      peers: { peer: () => undefined, peersOf: () => [] },
      policyRows: { rows: () => [], changesOf: () => ({ rows: [], removed: [] }) },
      networkRows: { rows: () => [], changesOf: () => ({ rows: [], removed: [] }) },
      node: () => NODE,
      onUnsendable: (_object, error) => {
        throw error;
      },
    });
    const pods = assignments.take().rows.filter(({ resource }) => resource === 'pods');
    const { managedFields: _fields, ...metadata } = pod.metadata;
    expect(pods.map(({ json }) => canonicalJson(parseJson(json)))).toEqual([
      canonicalJson({ ...pod, metadata }),
    ]);
    assigned = { ...pod, metadata: { ...pod.metadata, resourceVersion: '2' } } as Pod;
    assignments.mark('pods');
    expect(assignments.take()).toEqual({ rows: [], removed: [] });
  });
});

it('hashes a template alike however it is spelled', () => {
  forExtremes(DEPLOYMENT!, (object) => {
    const { spec } = object as Partial<Deployment>;
    const template = { metadata: {}, ...spec?.template } as PodTemplate;
    const deployment = { ...object, spec: { ...spec, template } } as Deployment;
    const copy = parseJson(canonicalJson(template)) as PodTemplate;
    expect(templateHash(copy, 0)).toBe(templateHash(template, 0));
    const replicaSet = { ...object, kind: 'ReplicaSet', spec: { template: copy } };
    expect(isFromTemplate(replicaSet as ReplicaSet, deployment)).toBe(true);
  });
});

it('tells 2^53 from 2^53 + 1', () => {
  const template = (tolerationSeconds: bigint) =>
    ({ spec: { containers: [], tolerations: [{ tolerationSeconds }] } }) as never;
  expect(templateHash(template(2n ** 53n), 0)).not.toBe(templateHash(template(2n ** 53n + 1n), 0));
});
