import { parseQuantity } from '../../../api/quantity';
import { qualifiedName, RUNTIME_CLASSES } from '../../../api/resources';
import { RUNTIME_HANDLER_ANNOTATION } from '../../../api/runtime-handlers';
import { mergeTolerations } from '../../../api/taints';
import type { RuntimeClass, Toleration } from '../../../api/types';
import { fieldsAt, isFields, listAt, textAt, type Fields } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { objectOf, type AdmissionAttributes } from './attributes';
import { isNewPod, specIn } from './pods';
import { refusal } from './refusal';

/**
 * Gives a new pod what its RuntimeClass says of it: what the runtime takes besides the containers, and
 * where it is. Overhead is the class's alone to say: no pod may claim less or more. Source:
 * KEP-688, KEP-585, and upstream's plugin of this name.
 */
export const runtimeClass = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'RuntimeClass',
  handles: isNewPod,
  admit: async (asked, signal) => {
    const found = await classOf(reader, asked, signal);
    if (found === undefined) return false;
    setOverhead(asked, found);
    setScheduling(asked, found);
    setHandler(asked, found);
    return true;
  },
  validate: async (asked, signal) => {
    const overhead = (await classOf(reader, asked, signal))?.overhead;
    const said = specIn(asked)['overhead'];
    if (overhead === undefined && said !== undefined)
      throw refusal(
        asked,
        'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
      );
    if (overhead !== undefined && !isSame(said, overhead.podFixed)) throw otherOverhead(asked);
  },
});

/** @throws ApiError when the pod names one that there is not. */
const classOf = async (
  reader: AdmissionReader,
  asked: AdmissionAttributes,
  signal: AbortSignal,
): Promise<RuntimeClass | undefined> => {
  const name = textAt(specIn(asked), 'runtimeClassName');
  if (name === '') return undefined;
  const found = await reader.find(STORED, '', name, signal);
  if (found === undefined) throw refusal(asked, `pod rejected: RuntimeClass "${name}" not found`);
  return found as RuntimeClass;
};

const setOverhead = (asked: AdmissionAttributes, { overhead }: RuntimeClass): void => {
  if (overhead === undefined) return;
  const spec = specIn(asked);
  if (spec['overhead'] !== undefined && !isSame(spec['overhead'], overhead.podFixed))
    throw otherOverhead(asked);
  spec['overhead'] = { ...overhead.podFixed };
};

const setScheduling = (asked: AdmissionAttributes, { scheduling }: RuntimeClass): void => {
  if (scheduling === undefined) return;
  const spec = specIn(asked);
  const own = fieldsAt(spec, 'nodeSelector');
  const wanted = scheduling.nodeSelector ?? {};
  for (const [key, value] of Object.entries(wanted))
    if (Object.hasOwn(own, key) && own[key] !== value)
      throw refusal(
        asked,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; ` +
          `pod.spec.nodeSelector[${key}] = ${textAt(own, key)}`,
      );
  const nodeSelector = { ...own, ...wanted };
  if (Object.keys(nodeSelector).length > 0) spec['nodeSelector'] = nodeSelector;
  const tolerations = mergeTolerations(
    listAt(spec, 'tolerations') as readonly Toleration[],
    scheduling.tolerations ?? [],
  );
  if (tolerations.length > 0) spec['tolerations'] = tolerations;
};

/** For who places it: whatever the pod says of it itself. */
const setHandler = (asked: AdmissionAttributes, { handler }: RuntimeClass): void => {
  const { metadata } = objectOf(asked);
  metadata.annotations = { ...metadata.annotations, [RUNTIME_HANDLER_ANNOTATION]: handler };
};

const otherOverhead = (asked: AdmissionAttributes) =>
  refusal(asked, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");

/** The same amounts, however they are written. */
const isSame = (a: unknown, b: Readonly<Record<string, string>> = {}): boolean => {
  const said: Fields = isFields(a) ? a : {};
  const names = Object.keys(said);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isEqual(textAt(said, name), b[name] ?? ''))
  );
};

const isEqual = (a: string, b: string): boolean =>
  parseQuantity(a).nanos === parseQuantity(b).nanos;

const STORED = qualifiedName(RUNTIME_CLASSES);
