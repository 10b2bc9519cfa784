import type { ContainerTarget, OpenStream } from '../../proto/gen/dhow/agent/v1/agent';

/** The request by the uid that this node knows the pod by: the server may know a mirror of it. */
export const withOwnUid = (request: OpenStream, ownUid: (uid: string) => string): OpenStream => {
  const { kind } = request;
  const translated = (target: ContainerTarget | undefined) =>
    target === undefined ? target : { ...target, podUid: ownUid(target.podUid) };
  switch (kind?.$case) {
    case 'logs':
      return {
        ...request,
        kind: { $case: 'logs', value: { ...kind.value, target: translated(kind.value.target) } },
      };
    case 'exec':
      return {
        ...request,
        kind: { $case: 'exec', value: { ...kind.value, target: translated(kind.value.target) } },
      };
    case 'port':
      return {
        ...request,
        kind: { $case: 'port', value: { ...kind.value, target: translated(kind.value.target) } },
      };
    case 'isolation':
      return {
        ...request,
        kind: { $case: 'isolation', value: { target: translated(kind.value.target) } },
      };
    case 'usage':
    case 'metrics':
    case undefined:
      return request;
  }
};
