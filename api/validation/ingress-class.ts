import { dns1123LabelProblems } from '../names';
import type { IngressClass } from '../types';
import {
  forbidden,
  immutable,
  invalidFor,
  notSupported,
  required,
  tooLong,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validateDomainPath, validateTypedReference } from './typed-reference';

const RULES: MetadataRules = { isNamespaced: false, name: subdomainName };
const CONTROLLER_BYTES_MAX = 250;

export const validateIngressClass = (ingressClass: IngressClass): readonly FieldError[] => [
  ...validateMetadata(ingressClass, RULES),
  ...validateSpec(ingressClass.spec ?? {}),
];

export const validateIngressClassUpdate = (
  ingressClass: IngressClass,
  old: IngressClass,
): readonly FieldError[] => [
  ...validateMetadataUpdate(ingressClass, old, RULES),
  ...(ingressClass.spec?.controller === old.spec?.controller
    ? []
    : [immutable('spec.controller', ingressClass.spec?.controller ?? '')]),
  ...validateSpec(ingressClass.spec ?? {}),
];

type Spec = NonNullable<IngressClass['spec']>;

const validateSpec = ({ controller = '', parameters }: Spec): readonly FieldError[] => [
  ...(controller === ''
    ? [required('spec.controller')]
    : [
        ...(Buffer.byteLength(controller) > CONTROLLER_BYTES_MAX
          ? [tooLong('spec.controller', CONTROLLER_BYTES_MAX)]
          : []),
        ...validateDomainPath('spec.controller', controller),
      ]),
  ...(parameters === undefined
    ? []
    : [
        ...validateTypedReference(parameters, 'spec.parameters'),
        ...validateScope(parameters, 'spec.parameters'),
      ]),
];

const validateScope = (
  { scope, namespace }: NonNullable<Spec['parameters']>,
  field: string,
): readonly FieldError[] => {
  switch (scope) {
    case undefined:
      return [required(`${field}.scope`)];
    case 'Cluster':
      return namespace === undefined
        ? []
        : [forbidden(`${field}.namespace`, "`parameters.scope` is set to 'Cluster'")];
    case 'Namespace':
      return namespace === undefined
        ? [required(`${field}.namespace`, "`parameters.scope` is set to 'Namespace'")]
        : invalidFor(`${field}.namespace`, namespace, dns1123LabelProblems(namespace));
    default:
      return [notSupported(`${field}.scope`, scope, ['Cluster', 'Namespace'])];
  }
};
