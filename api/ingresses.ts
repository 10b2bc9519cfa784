import { keyOf, type Ingress, type IngressClass } from './types';

/** Of the classes whose ingresses the nodes serve. */
export const INGRESS_CONTROLLER = 'dhow.dev/ingress';

/** The class that a new cluster has. */
export const INGRESS_CLASS_NAME = 'dhow';

/**
 * Pure: whether the nodes serve an ingress: its class is one of theirs. One that names none, and was there
 * before any class was the default, is nobody's. The annotation is what came before the field.
 */
export const isServedIngress = (
  { metadata, spec }: Ingress,
  classNamed: (name: string) => IngressClass | undefined,
): boolean => {
  const name = spec?.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION];
  return name !== undefined && classNamed(name)?.spec?.controller === INGRESS_CONTROLLER;
};

/** Pure: of the secrets that hold its certificates, `namespace/name` each, once. */
export const secretKeysOf = ({
  metadata: { namespace = '' },
  spec,
}: Ingress): readonly string[] => [
  ...new Set(
    (spec?.tls ?? []).flatMap(({ secretName = '' }) =>
      secretName === '' ? [] : [`${namespace}/${secretName}`],
    ),
  ),
];

/** Pure: where two want the same, the one that was there first has it. */
export const byAge = (a: Ingress, b: Ingress): number => {
  const [ageA, ageB] = [ageOf(a), ageOf(b)];
  return ageA < ageB ? -1 : Number(ageA > ageB);
};

/** Pure: whether plain requests are answered with the same address by TLS. */
export const isSslRedirected = ({ metadata }: Ingress): boolean =>
  metadata.annotations?.[SSL_REDIRECT] === 'true';

/** Pure: of the annotations, those that the nodes act on. */
export const annotationsForNodes = ({
  metadata: { annotations = {} },
}: Ingress): Readonly<Record<string, string>> | undefined =>
  annotations[SSL_REDIRECT] === undefined
    ? undefined
    : { [SSL_REDIRECT]: annotations[SSL_REDIRECT] };

/** Pure: of a new one that names its class as it was done before there was a field, and of what has no effect. */
export const ingressWarnings = (
  { metadata: { annotations = {} }, spec }: Ingress,
  old?: Ingress,
): readonly string[] => {
  const isByAnnotation =
    annotations[CLASS_ANNOTATION] !== undefined && spec?.ingressClassName === undefined;
  const redirect = annotations[SSL_REDIRECT];
  return [
    ...(old === undefined && isByAnnotation ? [CLASS_WARNING] : []),
    ...(redirect === undefined || ['true', 'false'].includes(redirect)
      ? []
      : [
          `metadata.annotations[${SSL_REDIRECT}]: neither "true" nor "false"; it is without effect`,
        ]),
  ];
};

const ageOf = (ingress: Ingress): string =>
  `${ingress.metadata.creationTimestamp ?? ''} ${keyOf(ingress)}`;

export const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const CLASS_WARNING = `annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`;
const SSL_REDIRECT = 'ingress.dhow.dev/ssl-redirect';
