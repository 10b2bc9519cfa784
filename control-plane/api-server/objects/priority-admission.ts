import { PRIORITY_CLASSES, qualifiedName } from '../../../api/resources';
import type { ApiObject, PriorityClass } from '../../../api/types';
import { numberAt, textAt, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { AdmissionReader } from './admission-reader';
import { forbidden } from './forbidden';

/** Gives a pod the priority of its class, or of the class that is the default. @throws Forbidden */
export const admitPriority = async (
  kind: ServedKind,
  pod: MutableObject,
  reader: AdmissionReader,
  signal: AbortSignal,
): Promise<void> => {
  const spec = (pod.spec ??= {});
  const name = textAt(spec, 'priorityClassName');
  const found =
    name === ''
      ? defaultClass(reader)
      : ((await reader.find(STORED, '', name, signal)) as PriorityClass | undefined);
  if (name !== '' && found === undefined)
    throw forbidden(kind, pod, `no PriorityClass with name ${name} was found`);
  const { value = 0, preemptionPolicy = 'PreemptLowerPriority' } = found ?? {};
  if (spec['priority'] !== undefined && numberAt(spec, 'priority') !== value)
    throw forbidden(
      kind,
      pod,
      `the integer value of priority (${numberAt(spec, 'priority')}) must not be provided in pod ` +
        `spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  const policy = textAt(spec, 'preemptionPolicy');
  if (policy !== '' && policy !== preemptionPolicy)
    throw forbidden(
      kind,
      pod,
      `the string value of PreemptionPolicy (${policy}) must not be provided in pod spec; priority ` +
        `admission controller computed ${preemptionPolicy} from the given PriorityClass name`,
    );
  if (found !== undefined) spec['priorityClassName'] = found.metadata.name;
  spec['priority'] = value;
  spec['preemptionPolicy'] = preemptionPolicy;
};

/** Only one class may be the default. @throws Forbidden */
export const checkDefaultPriority = (
  kind: ServedKind,
  object: ApiObject,
  reader: AdmissionReader,
): void => {
  if (kind.resource !== PRIORITY_CLASSES || !isDefault(object)) return;
  const other = reader
    .list(STORED)
    .find((each) => isDefault(each) && each.metadata.name !== object.metadata.name);
  if (other === undefined) return;
  throw forbidden(
    kind,
    object,
    `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
  );
};

/** Should two have become default at once, the lower counts, as upstream has it. */
const defaultClass = (reader: AdmissionReader): PriorityClass | undefined =>
  (reader.list(STORED) as readonly PriorityClass[])
    .filter(isDefault)
    .sort((a, b) => a.value - b.value)[0];

const isDefault = (object: ApiObject): boolean => (object as PriorityClass).globalDefault === true;

const STORED = qualifiedName(PRIORITY_CLASSES);
