import type { AssignmentDelta, SessionResponse } from '../../proto/gen/dhow/agent/v1/agent';

type Message = NonNullable<SessionResponse['message']>;

/**
 * Cuts a delta into ones of about `maxBytes` each, to be sent in order: first what pods use, then
 * the pods. Nothing becomes no part.
 */
export const partsOf = (
  delta: AssignmentDelta | undefined,
  maxBytes: number,
): AssignmentDelta[] => {
  if (delta === undefined) return [];
  const parts: AssignmentDelta[] = [{ ...delta, secrets: [], configMaps: [], pods: [] }];
  let bytes = 0;
  for (const kind of ['secrets', 'configMaps', 'pods'] as const) {
    for (const object of delta[kind]) {
      if (bytes > 0 && bytes + object.length > maxBytes) {
        parts.push(emptyDelta());
        bytes = 0;
      }
      parts.at(-1)?.[kind].push(object);
      bytes += object.length;
    }
  }
  return parts;
};

export const deltaOf = (value: AssignmentDelta): Message => ({ $case: 'delta', value });

/** What a session begins with; there is at least one part, also for a node without anything. */
export const snapshotOf = (parts: readonly AssignmentDelta[]): Message[] =>
  (parts.length === 0 ? [emptyDelta()] : parts).map(
    ({ pods, secrets, configMaps, peers, node }, index) => {
      const partial = index < parts.length - 1;
      return { $case: 'snapshot', value: { pods, secrets, configMaps, peers, node, partial } };
    },
  );

const emptyDelta = (): AssignmentDelta => ({
  pods: [],
  removedPods: [],
  secrets: [],
  removedSecrets: [],
  configMaps: [],
  removedConfigMaps: [],
  peers: [],
  peersChanged: false,
  node: Buffer.alloc(0),
});
