import type { EndpointSlice } from '../../api/types';

/** An endpoint of one port, with the conditions that its slice gives it. */
export interface CandidateEndpoint {
  readonly address: string;
  readonly port: number;
  readonly isReady: boolean;
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  readonly isLocal: boolean;
  /** Nodes and zones that it is meant for; absent: no hint. */
  readonly forNodes?: ReadonlySet<string>;
  readonly forZones?: ReadonlySet<string>;
}

export interface ChoosingNode {
  readonly name: string;
  readonly zone: string | undefined;
}

export interface ChosenEndpoints {
  readonly endpoints: readonly CandidateEndpoint[];
  readonly localEndpoints: readonly CandidateEndpoint[];
}

/**
 * Where this node leads to, in upstream's order (KEP-1669, pkg/proxy/topology.go): the ready ones, of those
 * the ones meant for this node, else for its zone; when none is ready those that still serve while they
 * end; else nowhere. The same for those on this node by themselves.
 */
export const chooseEndpoints = (
  candidates: readonly CandidateEndpoint[],
  node: ChoosingNode,
): ChosenEndpoints => ({
  endpoints: firstOf(near(candidates.filter(isReady), node), candidates.filter(isEnding)),
  localEndpoints: firstOf(
    candidates.filter((one) => one.isLocal && isReady(one)),
    candidates.filter((one) => one.isLocal && isEnding(one)),
  ),
});

/** A condition that is not given counts as upstream has it: ready, serving as it is ready, not ending. */
export const conditionsOf = ({ conditions }: EndpointSlice['endpoints'][number]) => {
  const isReady = conditions?.ready ?? true;
  return {
    isReady,
    isServing: conditions?.serving ?? isReady,
    isTerminating: conditions?.terminating ?? false,
  };
};

/** Hints count only when every ready endpoint has one and one is for here: else some would get no share. */
const near = (
  ready: readonly CandidateEndpoint[],
  { name, zone }: ChoosingNode,
): readonly CandidateEndpoint[] => {
  const forNode = ready.filter(({ forNodes }) => forNodes?.has(name) === true);
  if (forNode.length > 0 && ready.every(({ forNodes }) => forNodes !== undefined)) return forNode;
  const forZone = ready.filter(
    ({ forZones }) => zone !== undefined && forZones?.has(zone) === true,
  );
  if (forZone.length > 0 && ready.every(({ forZones }) => forZones !== undefined)) return forZone;
  return ready;
};

const firstOf = (
  ...choices: readonly (readonly CandidateEndpoint[])[]
): readonly CandidateEndpoint[] => choices.find(({ length }) => length > 0) ?? [];

const isReady = (one: CandidateEndpoint): boolean => one.isReady;
const isEnding = (one: CandidateEndpoint): boolean => one.isServing && one.isTerminating;
