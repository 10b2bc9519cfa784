import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { canonicalJson, parseJson } from '../../lib/json';
import { decodeProtobuf } from '../protobuf/decode';
import { decode } from './decode';
import { hasDefinition } from './definitions';

interface FullObject {
  readonly title: string;
  readonly json: { readonly apiVersion?: string; readonly kind: string };
  readonly protobuf: string;
}

/** What upstream tests itself by: an object of every kind with every field set. */
const objects = parseJson(
  gunzipSync(readFileSync(join(__dirname, 'upstream/objects.json.gz'))),
) as readonly FullObject[];

const kindOf = ({ json: { apiVersion = '', kind } }: FullObject) => {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return { group, version, kind };
};
const ours = objects.filter((object) => hasDefinition(kindOf(object)));

it('has an object of each version for every kind of upstream that is served', () => {
  expect(ours).toHaveLength(86);
});

it.each(ours)('$title: every field of its JSON is known, and stays as it is', (object) => {
  const decoded = decode(kindOf(object), object.json, { fieldValidation: 'Strict' });
  expect(decoded).toEqual({ object: object.json, warnings: [] });
});

it.each(ours)('$title: its protobuf is its JSON', (object) => {
  const { object: body, unread } = decodeProtobuf(Buffer.from(object.protobuf, 'base64'));
  expect(unread).toEqual([]);
  const decoded = decode(kindOf(object), body, { fieldValidation: 'Strict' });
  expect(canonicalJson(decoded.object)).toBe(canonicalJson(object.json));
});
