import { containersIn, type PodIn } from '../pod-in';
import { unsupportedInContainer } from './containers';
import { unsupportedInVolume } from './volumes';
import { always, IGNORED, is, presentIn, type Rules } from './words';

export const unsupportedInPod = ({ spec, field }: PodIn): readonly string[] => [
  ...presentIn(spec, POD_FIELDS, field),
  ...presentIn(spec.securityContext, SECURITY_FIELDS, `${field}.securityContext`),
  ...(spec.volumes ?? []).flatMap((volume, i) =>
    unsupportedInVolume(volume, `${field}.volumes[${i}]`),
  ),
  ...containersIn(spec).flatMap(([container, at]) =>
    unsupportedInContainer(container, `${field}.${at}`),
  ),
];

const POD_FIELDS: Rules = {
  ...always(IGNORED, 'resourceClaims', 'schedulingGroup'),
};
const SECURITY_FIELDS: Rules = {
  ...always(IGNORED, 'seLinuxChangePolicy'),
  fsGroupChangePolicy: {
    why: 'not supported by Dhow yet; volumes get their group when they are made',
    when: is('OnRootMismatch'),
  },
};
