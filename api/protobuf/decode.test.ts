import * as fc from 'fast-check';
import { ApiError } from '../errors';
import { DEPLOYMENTS } from '../resources';
import { decode } from '../schema/decode';
import { decodeProtobuf } from './decode';

/** Bodies as kubectl 1.34 sends them. */
const BODIES = {
  configMap:
    'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEikKEgoCY20SABoAIgAqADIAOABCABIGCgFhEgExGgsKA2JpbhIEAAEC/xoAIgA=',
  deployment:
    'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EscBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEpUBCAMSDAoKCgNhcHASA3dlYhp7ChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViElsSPQoFbmdpbngSCm5naW54OjEuMjcaBXNsZWVwGgExKgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAaDAgAEAAYACAAKAA4ABoAIgA=',
  token:
    'azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIiChAKABIAGgAiACoAMgA4AEIAEggKA2F1ZCDYBBoECgASABoAIgA=',
  accessReview:
    'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSOQoQCgASABoAIgAqADIAOABCABIbChkKAXgSBmNyZWF0ZRoAIgAqBHBvZHMyADoAGggIABIAGgAgABoAIgA=',
};
const read = (body: string) => decodeProtobuf(Buffer.from(body, 'base64')).object;

/** A body made by hand: fields as [number, bytes or small varint]. */
const message = (...fields: readonly (readonly [number, Buffer | number])[]): Buffer =>
  Buffer.concat(
    fields.map(([number, value]) =>
      typeof value === 'number'
        ? Buffer.from([number << 3, value])
        : Buffer.concat([Buffer.from([(number << 3) | 2, value.length]), value]),
    ),
  );
const text = (value: string) => Buffer.from(value);
const body = (apiVersion: string, kind: string, raw: Buffer) =>
  Buffer.concat([
    text('k8s\0'),
    message([1, message([1, text(apiVersion)], [2, text(kind)])], [2, raw]),
  ]);

it('reads what `kubectl create` and `auth` send', () => {
  expect(read(BODIES.configMap)).toMatchObject({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cm' },
    data: { a: '1' },
    binaryData: { bin: 'AAEC/w==' },
  });
  expect(read(BODIES.token)).toMatchObject({
    kind: 'TokenRequest',
    spec: { audiences: ['aud'], expirationSeconds: 600 },
  });
  expect(read(BODIES.accessReview)).toMatchObject({
    spec: { resourceAttributes: { namespace: 'x', verb: 'create', resource: 'pods' } },
  });
});

it('gives decoding the same object as a JSON body would', () => {
  const { object } = decode(DEPLOYMENTS, read(BODIES.deployment), { fieldValidation: 'Strict' });
  expect(object).toEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      strategy: {},
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [
            {
              name: 'nginx',
              image: 'nginx:1.27',
              command: ['sleep', '1'],
              ports: [{ containerPort: 80 }],
              resources: {},
            },
          ],
        },
      },
    },
    status: {},
  });
});

it('reads options, times and negative numbers', () => {
  const minusOne = Buffer.from([1 << 3, ...Array<number>(9).fill(0xff), 1]);
  for (const apiVersion of ['v1', 'apps/v1'])
    expect(decodeProtobuf(body(apiVersion, 'DeleteOptions', minusOne)).object).toMatchObject({
      apiVersion,
      gracePeriodSeconds: -1,
    });
  const lease = message([2, message([1, text('me')], [2, 15], [4, message([1, 60], [2, 0x7f])])]);
  expect(decodeProtobuf(body('coordination.k8s.io/v1', 'Lease', lease)).object).toMatchObject({
    spec: {
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      renewTime: '1970-01-01T00:01:00.000000Z',
    },
  });
});

it('names what only a newer client knows, wherever it stands, and nothing that is empty', () => {
  const field31 = (...bytes: readonly number[]) => Buffer.from([0xfa, 1, bytes.length, ...bytes]);
  const container = Buffer.concat([message([1, text('c')]), field31(120)]);
  const spec = message([2, message([1, text('b')])], [2, container]);
  const pod = Buffer.concat([message([2, spec]), field31(), Buffer.from([0xf8, 0x3f, 1])]);
  expect(decodeProtobuf(body('v1', 'Pod', pod))).toEqual({
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      spec: { containers: [{ name: 'b' }, { name: 'c' }] },
    },
    unread: ['spec.containers[1].<protobuf field 31>', '<protobuf field 1023>'],
  });
});

it('adds up the parts of one message', () => {
  const parts = message([1, message([1, text('a')])], [1, message([3, text('n')])]);
  expect(decodeProtobuf(body('v1', 'Pod', parts)).object).toMatchObject({
    metadata: { name: 'a', namespace: 'n' },
  });
});

it('refuses kinds it has no table for, and other bytes', () => {
  expect(() => decodeProtobuf(body('x/v1', 'constructor', Buffer.alloc(0)))).toThrow(
    /^constructor cannot be read/,
  );
  expect(() => decodeProtobuf(text('{}'))).toThrow(/does not appear to be a protobuf message/);
});

it('survives any bytes', () => {
  const bodies = Object.values(BODIES).map((each) => Buffer.from(each, 'base64'));
  const mangled = fc
    .tuple(fc.constantFrom(...bodies), fc.nat(400), fc.nat(255), fc.nat(400))
    .map(([bytes, at, value, length]) => {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = value;
      return copy.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(mangled, fc.uint8Array()), (bytes) => {
      try {
        decodeProtobuf(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ApiError);
      }
    }),
    { numRuns: 500 },
  );
});
