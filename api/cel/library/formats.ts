import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelValueProblems,
  qualifiedNameProblems,
} from '../../names';
import { CelRuntimeError } from '../errors';
import { parseTimestamp } from '../time';
import { listOf, opaque, optionalOf, STRING, type CelType } from '../types';
import { ArrayList, CelOpaque, CelOptional } from '../values';
import { parseUrl } from '../url';
import { fn, member, type Library } from './function';

type Problems = (text: string) => readonly string[];

const FORMAT: CelType<FormatValue> = opaque('kubernetes.NamedFormat');

class FormatValue extends CelOpaque {
  readonly type: CelType = FORMAT;

  constructor(readonly problems: Problems) {
    super();
  }
}

/** For a name that a suffix will be put to: a dash may be the last. */
const asPrefix =
  (problems: Problems): Problems =>
  (text) =>
    problems(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -1)}a` : text);

const dns1035LabelProblems: Problems = (text) => [
  ...(text.length > 63 ? ['must be no more than 63 characters'] : []),
  ...(LABEL_1035.test(text)
    ? []
    : [
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
          "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or " +
          "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
      ]),
];

const unless =
  (isValid: (text: string) => boolean, problem: string): Problems =>
  (text) =>
    isValid(text) ? [] : [problem];

const isMoment = (text: string): boolean => {
  try {
    parseTimestamp(text.replace(' ', 'T'));
    return true;
  } catch (error) {
    if (error instanceof CelRuntimeError) return false;
    throw error;
  }
};

const uriProblems: Problems = (text) => {
  const url = parseUrl(text);
  return typeof url === 'string' ? [url] : [];
};

const FORMATS: ReadonlyMap<string, FormatValue> = new Map(
  Object.entries({
    dns1123Label: dns1123LabelProblems,
    dns1123Subdomain: dns1123SubdomainProblems,
    dns1035Label: dns1035LabelProblems,
    qualifiedName: qualifiedNameProblems,
    dns1123LabelPrefix: asPrefix(dns1123LabelProblems),
    dns1123SubdomainPrefix: asPrefix(dns1123SubdomainProblems),
    dns1035LabelPrefix: asPrefix(dns1035LabelProblems),
    labelValue: labelValueProblems,
    uri: uriProblems,
    uuid: unless((text) => UUID.test(text), 'does not match the UUID format'),
    byte: unless((text) => text.length % 4 === 0 && BASE64.test(text), 'invalid base64'),
    date: unless((text) => text.length === 10 && isMoment(text), 'invalid date'),
    datetime: unless((text) => text.length > 10 && isMoment(text), 'invalid datetime'),
  }).map(([name, problems]) => [name, new FormatValue(problems)]),
);

const named = [...FORMATS].map(
  ([name, format]) => [`format.${name}`, [fn([], FORMAT, () => format)]] as const,
);

export const FORMAT_LIBRARY: Library = {
  ...Object.fromEntries(named),
  'format.named': [
    fn([STRING], optionalOf(FORMAT), (_meter, name) => {
      const format = FORMATS.get(name);
      return format === undefined ? CelOptional.NONE : new CelOptional(format);
    }),
  ],
  validate: [
    member([FORMAT, STRING], optionalOf(listOf(STRING)), (meter, { problems }, text) => {
      // The patterns are ours, and need no more than a few looks at each letter.
      meter.charge(1 + text.length);
      const found = problems(text);
      return found.length === 0 ? CelOptional.NONE : new CelOptional(new ArrayList(found));
    }),
  ],
};

const LABEL_1035 = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
