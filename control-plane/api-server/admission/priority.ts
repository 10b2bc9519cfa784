import { PRIORITY_CLASSES, qualifiedName } from '../../../api/resources';
import type { ApiObject, PriorityClass } from '../../../api/types';
import { numberAt, textAt, type Fields } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { isWriteOf, objectOf, type AdmissionAttributes } from './attributes';
import { isNewPod, specIn } from './pods';
import { refusal } from './refusal';

/** Gives a pod the priority of its class, or of the class that is the default, of which there is one. */
export const priority = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'Priority',
  handles: (asked) => isNewPod(asked) || isClass(asked),
  admit: async (asked, signal) => {
    if (!isNewPod(asked)) return false;
    const spec = specIn(asked);
    const name = textAt(spec, 'priorityClassName');
    const found =
      name === ''
        ? defaultClass(reader)
        : ((await reader.find(STORED, '', name, signal)) as PriorityClass | undefined);
    if (name !== '' && found === undefined)
      throw refusal(asked, `no PriorityClass with name ${name} was found`);
    setPriority(asked, spec, found);
    return true;
  },
  validate: (asked) => {
    if (!isClass(asked) || !isDefault(objectOf(asked))) return;
    const other = classes(reader).find(
      (each) => isDefault(each) && each.metadata.name !== asked.name,
    );
    if (other === undefined) return;
    const { name } = other.metadata;
    throw refusal(
      asked,
      `PriorityClass ${name} is already marked as default. Only one default can exist`,
    );
  },
});

const setPriority = (
  asked: AdmissionAttributes,
  spec: Fields,
  found: PriorityClass | undefined,
): void => {
  const { value = 0, preemptionPolicy = 'PreemptLowerPriority' } = found ?? {};
  if (spec['priority'] !== undefined && numberAt(spec, 'priority') !== value)
    throw refusal(
      asked,
      `the integer value of priority (${numberAt(spec, 'priority')}) must not be provided in pod ` +
        `spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  const policy = textAt(spec, 'preemptionPolicy');
  if (policy !== '' && policy !== preemptionPolicy)
    throw refusal(
      asked,
      `the string value of PreemptionPolicy (${policy}) must not be provided in pod spec; priority ` +
        `admission controller computed ${preemptionPolicy} from the given PriorityClass name`,
    );
  if (found !== undefined) spec['priorityClassName'] = found.metadata.name;
  spec['priority'] = value;
  spec['preemptionPolicy'] = preemptionPolicy;
};

const isClass = (asked: AdmissionAttributes): boolean => isWriteOf(asked, PRIORITY_CLASSES);

/** Should two have become default at once, the lower counts, as upstream has it. */
const defaultClass = (reader: AdmissionReader): PriorityClass | undefined =>
  classes(reader)
    .filter(isDefault)
    .sort((a, b) => a.value - b.value)[0];

const classes = (reader: AdmissionReader): readonly PriorityClass[] =>
  reader.list(STORED) as readonly PriorityClass[];

const isDefault = (object: ApiObject): boolean => (object as PriorityClass).globalDefault === true;

const STORED = qualifiedName(PRIORITY_CLASSES);
