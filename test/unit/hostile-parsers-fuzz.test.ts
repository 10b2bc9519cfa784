import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import * as fc from 'fast-check';
import { CelCompileError, compileCel, celEnvironment } from '../../api/cel';
import { customKind } from '../../api/kinds/custom-kind';
import { ApiError } from '../../api/errors';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../api/resources';
import { convert, DecodeError } from '../../api/schema/decode';
import { applyDefaults, validate } from '../../api/scheme';
import type { CustomResourceDefinition } from '../../api/types';
import {
  InvalidReviewError,
  parseReview,
} from '../../control-plane/api-server/admission/webhooks/review';
import {
  dataFrame,
  FrameReader,
  openFrame,
  pingFrame,
  resetFrame,
  SpdyError,
} from '../../lib/net/spdy/frames';
import { HeaderCodec } from '../../lib/net/spdy/headers';
import { SpdySession } from '../../lib/net/spdy/session';
import { mutated, mutatedBytes, odd } from '../support/mutations';

/*
 * Schemas, expressions, answers of webhooks and frames come from strangers: they are taken, or refused
 * as mistakes, and no other error comes out. From one seed; DHOW_FUZZ_RUNS=100000 makes a campaign of it.
 */

const CAMPAIGN = process.env['DHOW_FUZZ_RUNS'];
const RUNS = Number(CAMPAIGN ?? 200);
const OPTIONS = { numRuns: RUNS, ...(CAMPAIGN === undefined ? { seed: 1 } : {}) };

afterAll(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
});

const forgiving = <T>(
  work: () => T,
  ...mistakes: readonly (new (...args: never[]) => Error)[]
): T | undefined => {
  try {
    return work();
  } catch (error) {
    if (!mistakes.some((each) => error instanceof each)) throw error;
    return undefined;
  }
};

// ---- Schemas, and objects that are held to them

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      'x-kubernetes-validations': [{ rule: 'self.size >= 0', message: 'no' }],
      properties: {
        size: { type: 'integer', format: 'int32', minimum: 1, default: 3 },
        names: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
        },
        any: { 'x-kubernetes-preserve-unknown-fields': true, anyOf: [{ maxLength: 3 }, {}] },
        pod: {
          ...{ type: 'object', 'x-kubernetes-embedded-resource': true },
          properties: { __proto__x: { type: 'string', pattern: '^a+$' } },
        },
      },
    },
  },
};
const OBJECT = {
  spec: {
    ...{ size: 1, names: ['a', 'b'], ports: [{ name: 'x' }], any: 'y' },
    pod: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } },
  },
};

const definitionOf = (openAPIV3Schema: unknown) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.com' },
  spec: {
    ...{ group: 'example.com', scope: 'Cluster' },
    names: { plural: 'things', kind: 'Thing' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
  },
  status: { storedVersions: ['v1'] },
});

it('takes or refuses definitions, and holds objects to those that it takes', () => {
  const definitions = fc.oneof(mutated(SCHEMA).map(definitionOf), mutated(definitionOf(SCHEMA)));
  let takenCount = 0;
  fc.assert(
    fc.property(definitions, mutated(OBJECT), mutated(OBJECT), (raw, given, before) => {
      const kind = { ...CUSTOM_RESOURCE_DEFINITIONS };
      const decoded = forgiving(() => convert(kind, raw).object, DecodeError, ApiError);
      if (decoded === undefined) return;
      const definition = decoded as CustomResourceDefinition;
      applyDefaults(kind, definition);
      if (forgiving(() => (validate(kind, definition), true), ApiError) === undefined) return;
      takenCount++;
      const [version] = definition.spec.versions;
      const { rules, resource } = customKind({ ...definition, status: {} }, version!);
      const [object, old] = [given, before]
        .map((each) => ({
          ...{ apiVersion: 'example.com/v1', kind: 'Thing' },
          metadata: { name: 'a', resourceVersion: '1' },
          ...(each as object),
        }))
        .map((each) => forgiving(() => convert(resource, each).object, DecodeError, ApiError));
      if (object === undefined || old === undefined) return;
      forgiving(() => rules.applyDefaults(object), ApiError);
      for (const before of [undefined, old]) {
        const errors =
          before === undefined
            ? rules.validateCreate(object)
            : rules.validateUpdate(object, before);
        for (const steps = rules.judge?.(object, before, errors); steps?.next().done === false;);
      }
    }),
    OPTIONS,
  );
  expect(takenCount).toBeGreaterThan(RUNS / 20);
});

// ---- Expressions

it('compiles expressions or says what is wrong with them', () => {
  const word = fc.constantFrom(
    ...[
      'self',
      '.',
      'all',
      '(',
      ')',
      'x',
      ',',
      '==',
      '1',
      '"a"',
      '[',
      ']',
      '{',
      '}',
      '?',
      ':',
      '-',
    ],
    ...[
      '&&',
      '||',
      '!',
      'in',
      'has',
      'optional',
      '.?',
      '__proto__',
      'constructor',
      'b"',
      '0x',
      '1e9',
    ],
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      forgiving(() => compileCel(words.join(' '), celEnvironment({})), CelCompileError);
    }),
    OPTIONS,
  );
});

// ---- Answers of webhooks

const ANSWER = {
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: {
    ...{ uid: 'u', allowed: false, status: { message: 'no', code: 403 }, warnings: ['w'] },
    ...{ patchType: 'JSONPatch', patch: Buffer.from('[{"op":"add"}]').toString('base64') },
  },
};

it('reads answers of webhooks, or calls them none', () => {
  const expected = fc.record({
    version: fc.constantFrom('v1', 'v1beta1'),
    uid: fc.constant('u'),
    isMutating: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.oneof(odd, mutated(ANSWER)), expected, (answer, asked) => {
      const verdict = forgiving(() => parseReview(answer, asked), InvalidReviewError);
      if (verdict === undefined) return;
      expect(Array.isArray(verdict.patch)).toBe(true);
      expect(verdict.warnings.every((each) => typeof each === 'string')).toBe(true);
    }),
    OPTIONS,
  );
});

// ---- Frames of SPDY

const CLEAN = async (): Promise<Buffer> => {
  using codec = new HeaderCodec();
  const headers = { streamtype: 'data', port: '80', requestid: '0' };
  return Buffer.concat([
    openFrame(1, await codec.encode(headers)),
    openFrame(3, await codec.encode({ ...headers, streamtype: 'error' })),
    dataFrame(1, Buffer.from('hello'), false),
    pingFrame(1),
    dataFrame(3, Buffer.alloc(0), true),
    resetFrame(1, 5),
  ]);
};

it('reads frames, or says that they are none', async () => {
  const clean = await CLEAN();
  fc.assert(
    fc.property(mutatedBytes(clean), fc.integer({ min: 1, max: 40 }), (bytes, size) => {
      const reader = new FrameReader();
      forgiving(() => {
        for (let at = 0; at < bytes.length; at += size)
          for (const frame of reader.read(bytes.subarray(at, at + size)))
            expect(typeof frame.type).toBe('string');
      }, SpdyError);
    }),
    OPTIONS,
  );
});

it('ends a session at what is broken, with all its streams', async () => {
  const clean = await CLEAN();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const talk = async (bytes: Buffer): Promise<void> => {
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const client = connect(port, '127.0.0.1').on('error', () => undefined);
    client.resume();
    const streams: { readonly destroyed: boolean }[] = [];
    const session = new SpdySession(await accepted, {
      ...{ role: 'server', streamsMax: 4 },
      onStream: (stream) => void streams.push(stream.resume()),
    });
    client.end(bytes);
    // What is broken may also be the connection: to end is what matters.
    await session.run().catch(String);
    expect(streams.every(({ destroyed }) => destroyed)).toBe(true);
    client.destroy();
  };
  try {
    await fc.assert(fc.asyncProperty(mutatedBytes(clean), talk), {
      ...OPTIONS,
      numRuns: Math.ceil(RUNS / 4),
    });
  } finally {
    server.close();
  }
});
