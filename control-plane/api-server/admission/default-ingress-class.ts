import { INGRESS_CLASSES, INGRESSES, qualifiedName } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { valueAt } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { isWriteOf, objectOf } from './attributes';
import { newestDefault } from './newest-default';

/** Gives an ingress that names no class the default one, if there is one; of several the newest. */
export const defaultIngressClass = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'DefaultIngressClass',
  handles: (asked) => asked.operation === 'CREATE' && isWriteOf(asked, INGRESSES),
  admit: async (asked, signal) => {
    const ingress = objectOf(asked);
    if (valueAt(ingress, 'spec', 'ingressClassName') !== undefined) return false;
    if (ingress.metadata.annotations?.[OLD_CLASS] !== undefined) return false;
    const newest = await newestDefault(reader, STORED, isDefault, signal);
    if (newest === undefined) return false;
    ingress.spec = { ...ingress.spec, ingressClassName: newest.metadata.name };
    return true;
  },
});

const isDefault = ({ metadata }: ApiObject): boolean => metadata.annotations?.[DEFAULT] === 'true';

const DEFAULT = 'ingressclass.kubernetes.io/is-default-class';
const OLD_CLASS = 'kubernetes.io/ingress.class';
const STORED = qualifiedName(INGRESS_CLASSES);
