import { qualifiedNameProblems } from '../names';
import type { Service } from '../types';
import { validateCidr } from './addresses';
import { forbidden, invalid, invalidFor, required, type FieldError } from './field-error';

type Spec = NonNullable<Service['spec']>;

/** What only balancers have. Source: upstream's pkg/apis/core/validation. */
export const validateBalancer = (service: Service): readonly FieldError[] => {
  const { spec = {} } = service;
  const { allocateLoadBalancerNodePorts } = spec;
  const isBalanced = spec.type === 'LoadBalancer';
  return [
    ...validateSourceRanges(service),
    ...(allocateLoadBalancerNodePorts !== undefined && !isBalanced
      ? [onlyBalanced('spec.allocateLoadBalancerNodePorts')]
      : []),
    ...(allocateLoadBalancerNodePorts === undefined && isBalanced
      ? [required('allocateLoadBalancerNodePorts')]
      : []),
    ...validateClass(spec),
  ];
};

/** Who may reach a balancer: the field, or the annotation that was before it. Blanks around are allowed. */
const validateSourceRanges = ({ metadata, spec = {} }: Service): readonly FieldError[] => {
  const { loadBalancerSourceRanges: ranges = [], type } = spec;
  const annotation = metadata.annotations?.[SOURCE_RANGES];
  if (ranges.length === 0 && annotation === undefined) return [];
  // As upstream spells it.
  const field =
    ranges.length > 0 ? 'spec.LoadBalancerSourceRanges' : `metadata.annotations[${SOURCE_RANGES}]`;
  const listed = (annotation ?? '').trim() === '' ? [] : (annotation ?? '').split(',');
  return [
    ...(type === 'LoadBalancer' ? [] : [onlyBalanced(field)]),
    ...(ranges.length > 0
      ? ranges.flatMap((range, i) => validateCidr(range.trim(), `${field}[${i}]`))
      : listed.flatMap((range) => validateCidr(range.trim(), field))),
  ];
};

const validateClass = ({ type, loadBalancerClass }: Spec): readonly FieldError[] =>
  loadBalancerClass === undefined
    ? []
    : type === 'LoadBalancer'
      ? invalidFor(CLASS, loadBalancerClass, qualifiedNameProblems(loadBalancerClass))
      : [onlyBalanced(CLASS)];

/** Upstream, too, judges the class twice when it changes: its causes come twice. */
export const validateClassChange = (spec: Spec, old: Spec): readonly FieldError[] => [
  ...(spec.type === 'LoadBalancer' &&
  old.type === 'LoadBalancer' &&
  spec.loadBalancerClass !== old.loadBalancerClass
    ? [invalid(CLASS, spec.loadBalancerClass, 'may not change once set')]
    : []),
  ...validateClass(spec),
];

const onlyBalanced = (field: string): FieldError =>
  forbidden(field, "may only be used when `type` is 'LoadBalancer'");

const CLASS = 'spec.loadBalancerClass';
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
