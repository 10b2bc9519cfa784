import { KINDS } from '../../api/kinds';
import { definitionOf, definitions, resolveSchema } from '../../api/schema/definitions';
import type { Schema } from '../../api/schema/schema';
import {
  EFFECT_TABLES,
  FIELD_EFFECTS,
  WELL_KNOWN,
  type FieldEffect,
} from '../../api/schema/effects';
import { warningsFor } from '../../api/scheme';
import { made, refusal } from '../../api/testing';
import { REVIEWS } from '../../control-plane/api-server/auth/reviews';
import { planted } from './field-places';
import { ROWS, samplesOf } from './field-samples';
import { isNamedTest } from './named-tests';

/*
 * No field is silent: each one of every body that a client may send has an effect that a named test
 * shows, or is warned of, or refused, or is said to be no more than stored.
 */

/** Bodies of subresources, and options. */
const REQUESTS = [
  { group: '', version: 'v1', kind: 'Binding' },
  { group: 'policy', version: 'v1', kind: 'Eviction' },
  { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  { group: 'meta', version: 'v1', kind: 'DeleteOptions' },
];
const SENT = [
  ...KINDS.filter(({ verbs }) => verbs.includes('create')).map(({ resource }) => resource),
  ...REVIEWS,
  ...REQUESTS,
].map((kind) => definitionOf({ ...kind, group: kind.group === 'meta' ? '' : kind.group }).name);

const shortName = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** The definition that values of a field are of, in lists and maps too. */
const targetOf = (
  schema: Schema,
): { readonly name: string; readonly schema: Schema } | undefined => {
  const { name, schema: target } = resolveSchema(schema);
  if (name !== undefined) return target.properties && { name, schema: target };
  const inner = target.items ?? target.additionalProperties;
  return inner && targetOf(inner);
};

/** Every `Definition.field` that a client may set, with its row if it has one. */
const fields = (): ReadonlyMap<string, FieldEffect | undefined> => {
  const found = new Map<string, FieldEffect | undefined>();
  const seen = new Set<string>();
  const pending = [...SENT];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const [field, schema] of Object.entries(definitions()[name]?.properties ?? {})) {
      const effect = FIELD_EFFECTS[shortName(name)]?.[field];
      found.set(`${shortName(name)}.${field}`, effect);
      const target = targetOf(schema);
      if (effect?.shown !== undefined && target !== undefined) pending.push(target.name);
    }
  }
  return found;
};

it('walks all kinds that can be sent', () => {
  const others = Object.entries(definitions())
    .filter(([name, schema]) => 'x-kubernetes-group-version-kind' in schema && !SENT.includes(name))
    .filter(([name]) => !name.endsWith('List'))
    .map(([name]) => name);
  expect(others).toEqual([
    // Answers only.
    'io.k8s.api.networking.v1.IPAddress',
    'io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup',
    'io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions',
    'io.k8s.apimachinery.pkg.apis.meta.v1.Status',
    'dev.dhow.scheduling.v1.SchedulingDecision',
    'dev.dhow.scheduling.v1.PodExplanation',
    'dev.dhow.encryption.v1.EncryptionKey',
    'dev.dhow.cluster.v1.Server',
  ]);
});

it('says of every field what it does', () => {
  const silent = [...fields()].filter(([, effect]) => effect === undefined);
  expect(silent.map(([name]) => name)).toEqual([]);
});

it('says nothing of what there is not, and nothing twice', () => {
  const walked = fields();
  const unknown = ROWS.map(({ definition, field }) => `${definition}.${field}`);
  expect(unknown.filter((name) => !walked.has(name))).toEqual([]);
  const definitionsNamed = EFFECT_TABLES.flatMap((table) => Object.keys(table));
  expect(definitionsNamed).toHaveLength(new Set(definitionsNamed).size);
});

const effects = [...ROWS, ...WELL_KNOWN].map(({ effect }) => effect);

it('says something of each', () => {
  const empty = effects.filter(({ shown, warned, refused, kept }) =>
    [shown, warned, refused, kept].every((each) => each === undefined || each.length === 0),
  );
  expect(empty).toEqual([]);
});

it('names tests that there are', () => {
  const named = new Set(effects.flatMap(({ shown = [] }) => shown));
  expect(named.size).toBeGreaterThan(80);
  const missing = [...named].filter((name) => {
    const [file = '', ...title] = name.split(': ');
    return !isNamedTest(file, title.join(': '));
  });
  expect(missing).toEqual([]);
});

const isAbout = (field: string) => (sentence: string) =>
  sentence.startsWith(field) && /^[.:[]/.test(sentence.slice(field.length));

it.each(samplesOf('warned'))('warns of $title: $value', ({ home, key, value, field }) => {
  const body = planted(home.base, home.path, key, value);
  expect(refusal(home.resource, body)).toEqual([]);
  expect(warningsFor(made(home.resource, home.base))).toEqual([]);
  expect(warningsFor(made(home.resource, body)).filter(isAbout(field))).not.toEqual([]);
});

it.each(samplesOf('refused'))('refuses $title: $value', ({ home, key, value, field }) => {
  expect(refusal(home.resource, home.base)).toEqual([]);
  const why = refusal(home.resource, planted(home.base, home.path, key, value));
  expect(why.filter(isAbout(field))).not.toEqual([]);
});
