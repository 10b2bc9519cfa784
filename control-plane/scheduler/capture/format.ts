import { z } from 'zod';
import { SCHEDULING_GROUP } from '../../../api/decisions';

/** Rises with every change after which an older reader would reproduce something else. */
export const FORMAT_VERSION = 1;

/** What a capture may come to, unpacked. */
export const CAPTURE_BYTES_MAX = 256 * 1024 * 1024;

/** Read first: whatever else there is may be of another form. */
export const captureHead = z.looseObject({
  apiVersion: z.literal(`${SCHEDULING_GROUP}/v1`),
  kind: z.literal('SchedulerCapture'),
  status: z.looseObject({ formatVersion: z.number().int(), dhowVersion: z.string().max(100) }),
});

const object = z.record(z.string(), z.unknown());
const labels = z.record(z.string(), z.string());
const place = z.strictObject({ pod: object, nodeName: z.string() });
const counted = z.strictObject({ driver: z.string(), id: z.string() });
const finite = z.number();

const rankedNode = z.strictObject({
  node: z.string(),
  total: finite,
  scores: z.record(z.string(), finite),
});

const claimed = z.strictObject({ claim: object, volume: object.optional() });

const volumes = z.strictObject({
  problem: z
    .strictObject({ reason: z.string(), claim: z.string(), isMissing: z.boolean() })
    .optional(),
  bound: z.array(claimed),
  delayed: z.array(
    z.strictObject({
      ...{ claim: object, storageClass: object, candidates: z.array(object) },
      nodeName: z.string().optional(),
      capacities: z.array(object).optional(),
    }),
  ),
  taken: object.optional(),
});

const step = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('node'), name: z.string(), node: object.optional() }),
  z.strictObject({ kind: z.literal('placement'), uid: z.string(), place: place.optional() }),
  z.strictObject({ kind: z.literal('nomination'), uid: z.string(), place: place.optional() }),
  z.strictObject({
    kind: z.literal('decision'),
    pod: object,
    selector: z.array(
      z.strictObject({
        key: z.string(),
        operator: z.enum(['in', 'notin', '=', '==', '!=', 'exists', '!', 'gt', 'lt']),
        values: z.array(z.string()),
      }),
    ),
    volumes: volumes.optional(),
    spec: z.strictObject({ attempt: finite, time: z.string() }),
    status: z.strictObject({
      nodeName: z.string().optional(),
      nodesFeasible: finite,
      reasons: z.record(z.string(), finite),
      top: z.array(rankedNode),
      margin: finite.optional(),
      decidedBy: z.string().optional(),
      message: z.string(),
    }),
  }),
]);

/** Everything but what objects of the API are in themselves. */
export const captureForm = z.looseObject({
  status: z.strictObject({
    formatVersion: z.number(),
    dhowVersion: z.string(),
    time: z.string(),
    seed: z.number().int(),
    configuration: z.string().optional(),
    profiles: z.array(z.unknown()),
    namespaces: z.record(z.string(), labels),
    budgets: z.array(object),
    storage: z.strictObject({
      limits: z.record(z.string(), z.record(z.string(), finite)),
      counted: z.record(z.string(), counted),
      leftovers: z.record(z.string(), z.array(counted)),
    }),
    start: z.strictObject({
      nodes: z.array(object),
      placements: z.array(place),
      nominations: z.array(place),
    }),
    steps: z.array(step),
  }),
});

export type CaptureForm = z.output<typeof captureForm>['status'];
