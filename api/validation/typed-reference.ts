import { dns1123SubdomainProblems, pathSegmentProblems, urlPathProblems } from '../names';
import { invalid, invalidFor, required, type FieldError } from './field-error';

/** What names an object of any kind. A body may lack all of it. */
interface TypedReference {
  /** Null where it is missing. */
  readonly apiGroup?: string | null;
  readonly kind?: string;
  readonly name?: string;
}

export const validateTypedReference = (
  { apiGroup, kind = '', name = '' }: TypedReference,
  field: string,
): readonly FieldError[] => [
  ...(apiGroup === undefined || apiGroup === null
    ? []
    : invalidFor(`${field}.apiGroup`, apiGroup, dns1123SubdomainProblems(apiGroup))),
  ...validateSegment(kind, `${field}.kind`),
  ...validateSegment(name, `${field}.name`),
];

export const validateSegment = (value: string, field: string): readonly FieldError[] =>
  value === '' ? [required(field)] : invalidFor(field, value, pathSegmentProblems(value));

/** `example.com/controller` */
export const validateDomainPath = (field: string, text: string): readonly FieldError[] => {
  const slash = text.indexOf('/');
  const [host, path] = [text.slice(0, Math.max(slash, 0)), text.slice(slash + 1)];
  if (host === '' || path === '')
    return [invalid(field, text, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  return [
    ...invalidFor(field, host, dns1123SubdomainProblems(host)),
    ...invalidFor(field, path, urlPathProblems(path)),
  ];
};
