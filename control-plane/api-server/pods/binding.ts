import { ApiError, conflict } from '../../../api/errors';
import { withCondition } from '../../../api/pods';
import { NODES } from '../../../api/resources';
import type { ObjectName, Pod } from '../../../api/types';
import { invalidError, notFoundAt } from '../../../api/validation/field-error';
import { rfc3339 } from '../../../lib/clock';
import { askedIn, type AdmissionAttributes } from '../admission/attributes';
import { copyOf, fieldsAt, isFields, textAt, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { ObjectService } from '../objects/object-service';
import type { WriteContext } from '../objects/write-context';

export interface BindingRequest {
  readonly nodeName: string;
  readonly uid?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** @throws BadRequest */
export const parseBinding = (body: unknown): BindingRequest => {
  const target = fieldsAt(body, 'target');
  const nodeName = textAt(target, 'name');
  const kind = textAt(target, 'kind');
  if (!isFields(body) || nodeName === '' || (kind !== '' && kind !== 'Node'))
    throw new ApiError('BadRequest', 'a binding needs target: {kind: Node, name: NAME}');
  const uid = textAt(body, 'metadata', 'uid');
  return {
    nodeName,
    ...(uid === '' ? {} : { uid }),
    annotations: fieldsAt(body, 'metadata', 'annotations') as Record<string, string>,
  };
};

/**
 * Gives a pod its node, once. @throws Conflict when it has one, is another pod, or is going; Invalid
 * when there is no such node
 */
export const bindPod = async (
  { kinds, reader, writer, admission, clock }: ObjectService,
  pods: ServedKind,
  name: ObjectName,
  request: BindingRequest,
  context: WriteContext,
): Promise<void> => {
  const binding = bindingOf(name, request);
  const asked: AdmissionAttributes = {
    ...askedIn(context),
    ...{ operation: 'CREATE', kind: pods, subresource: 'binding', object: binding },
    ...{ namespace: name.namespace, name: name.name },
  };
  const isChanged = await admission.admit(asked, context.signal);
  const admitted = isChanged ? parseBinding(binding) : request;
  // A pod bound to nothing would wait for a node of that name, whoever joins by it one day.
  if ((await reader.find(kinds.of(NODES), admitted.nodeName, context.signal)) === undefined)
    throw invalidError({ group: '', kind: 'Binding' }, name.name, [
      notFoundAt('target.name', admitted.nodeName),
    ]);
  await admission.validate(asked, context.signal);
  await writer.rewrite(
    pods,
    name,
    (current) => bound(current as Pod, admitted, clock.now()),
    context,
  );
};

const bindingOf = (
  { namespace, name }: ObjectName,
  { nodeName, uid, annotations }: BindingRequest,
): MutableObject => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: {
    ...{ namespace, name },
    ...(uid === undefined ? {} : { uid }),
    ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
  },
  target: { kind: 'Node', name: nodeName },
});

const bound = (pod: Pod, { nodeName, uid, annotations }: BindingRequest, nowMs: number) => {
  const { name } = pod.metadata;
  const refuse = (why: string): ApiError => conflict('pods/binding', '', name, why);
  if (uid !== undefined && uid !== pod.metadata.uid)
    throw refuse(
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid ?? ''}`,
    );
  if (pod.metadata.deletionTimestamp !== undefined)
    throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== '')
    throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  const next: MutableObject = copyOf(pod);
  next.spec = { ...next.spec, nodeName };
  next.metadata.annotations = { ...next.metadata.annotations, ...annotations };
  if (Object.keys(next.metadata.annotations).length === 0)
    Reflect.deleteProperty(next.metadata, 'annotations');
  const conditions = withCondition(
    pod.status.conditions,
    { type: 'PodScheduled', status: 'True' },
    rfc3339(nowMs),
  );
  // As a decoded condition has it: the next write through the API would else seem to set it.
  const complete = conditions.map((condition) => ({ lastProbeTime: null, ...condition }));
  next.status = { ...next.status, conditions: complete };
  return next;
};
