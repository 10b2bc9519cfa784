import { parseIp } from '../../../lib/net/ip';
import type { Protocol } from '../../../api/network-policies';
import { NETWORKING_GROUP, type ConnectionQuestion } from '../../../api/network-policies/review';
import {
  invalid,
  invalidError,
  notSupported,
  required,
  type FieldError,
} from '../../../api/validation/field-error';
import { fieldsAt, textAt, type Fields } from '../kinds/mutable';

/** With the namespace of each end. */
export type CheckedQuestion = Omit<ConnectionQuestion, 'from' | 'to'> & {
  readonly from: ConnectionQuestion['from'] & { readonly namespace: string };
  readonly to: ConnectionQuestion['to'] & { readonly namespace: string };
};

/** What a ConnectionReview asks. @throws Invalid naming the fields that make no sense */
export const questionIn = (review: Fields, namespace: string): CheckedQuestion => {
  const spec = fieldsAt(review, 'spec');
  const [from, to] = [fieldsAt(spec, 'from'), fieldsAt(spec, 'to')];
  const { port } = to;
  const protocol = textAt(spec, 'protocol');
  const problems = [
    ...endProblems(from, ['pod', 'address'], 'spec.from'),
    ...endProblems(to, ['pod', 'service', 'address'], 'spec.to'),
    ...portProblems(port),
    ...(protocol === '' || PROTOCOLS.some((each) => each === protocol)
      ? []
      : [notSupported('spec.protocol', protocol, PROTOCOLS)]),
  ];
  if (problems.length > 0)
    throw invalidError({ group: NETWORKING_GROUP, kind: 'ConnectionReview' }, '', problems);
  return {
    from: { namespace, ...named(from, ['namespace', 'pod', 'address']) },
    to: {
      namespace,
      ...named(to, ['namespace', 'pod', 'service', 'address']),
      ...(port === undefined ? {} : { port: port as number | string }),
    },
    ...(protocol === '' ? {} : { protocol: protocol as Protocol }),
  };
};

const endProblems = (
  end: Fields,
  names: readonly string[],
  field: string,
): readonly FieldError[] => {
  const given = names.filter((name) => textAt(end, name) !== '');
  if (given.length === 0) return [required(field, `say one of ${names.join(', ')}`)];
  if (given.length > 1) return [invalid(field, given, `say one of ${names.join(', ')} only`)];
  const address = textAt(end, 'address');
  return address !== '' && typeof parseIp(address) === 'string'
    ? [invalid(`${field}.address`, address, 'must be a valid IP address, (e.g. 10.9.8.7)')]
    : [];
};

const portProblems = (port: unknown): readonly FieldError[] => {
  if (port === undefined || (typeof port === 'string' && port !== '')) return [];
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535
    ? []
    : [invalid('spec.to.port', port, 'must be between 1 and 65535, inclusive, or a name')];
};

const named = <K extends string>(fields: Fields, names: readonly K[]): Partial<Record<K, string>> =>
  Object.fromEntries(
    names.flatMap((name) => (textAt(fields, name) === '' ? [] : [[name, textAt(fields, name)]])),
  ) as Partial<Record<K, string>>;

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
