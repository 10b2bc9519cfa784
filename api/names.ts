/**
 * The rules for names, keys and values, each giving the API's own sentences about what is wrong
 * with a text, none when nothing is.
 */

const SUBDOMAIN = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
const WILDCARD = `\\*\\.${SUBDOMAIN}`;
const URL_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const QUALIFIED_NAME = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${QUALIFIED_NAME})?`;
const CONFIG_KEY = '[-._a-zA-Z0-9]+';
const ENV_NAME_RELAXED = '^[\\x20-\\x3c\\x3e-\\x7e]+$';

const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);
const SUBDOMAIN_PATTERN = whole(SUBDOMAIN);
const WILDCARD_PATTERN = whole(WILDCARD);
const URL_PATH_PATTERN = whole(URL_PATH);
const LABEL_PATTERN = whole(LABEL);
const LABEL_1035_PATTERN = whole(LABEL_1035);
const QUALIFIED_NAME_PATTERN = whole(QUALIFIED_NAME);
const LABEL_VALUE_PATTERN = whole(LABEL_VALUE);
const CONFIG_KEY_PATTERN = whole(CONFIG_KEY);
const ENV_NAME_PATTERN = new RegExp(ENV_NAME_RELAXED);

const SUBDOMAIN_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;

const tooLong = (length: number): string => `must be no more than ${length} characters`;

const patternProblem = (message: string, pattern: string, ...examples: string[]): string => {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  const list = examples.map((example, i) => `${i > 0 ? " or '" : "'"}${example}', `).join('');
  return `${message} (e.g. ${list}regex used for validation is '${pattern}')`;
};

export const dns1123SubdomainProblems = (value: string): readonly string[] => [
  ...(value.length > SUBDOMAIN_LENGTH_MAX ? [tooLong(SUBDOMAIN_LENGTH_MAX)] : []),
  ...(value.length > SUBDOMAIN_LENGTH_MAX || SUBDOMAIN_PATTERN.test(value)
    ? []
    : [
        patternProblem(
          'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ' +
            "'-' or '.', and must start and end with an alphanumeric character",
          SUBDOMAIN,
          'example.com',
        ),
      ]),
];

export const dns1123LabelProblems = (value: string): readonly string[] => [
  ...(value.length > LABEL_LENGTH_MAX ? [tooLong(LABEL_LENGTH_MAX)] : []),
  ...(LABEL_PATTERN.test(value)
    ? []
    : SUBDOMAIN_PATTERN.test(value)
      ? ['must not contain dots']
      : [
          patternProblem(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', " +
              'and must start and end with an alphanumeric character',
            LABEL,
            'my-name',
            '123-abc',
          ),
        ]),
];

/** Labels that begin with a letter, as names of services and of versions do. */
export const dns1035LabelProblems = (value: string): readonly string[] => [
  ...(value.length > LABEL_LENGTH_MAX ? [tooLong(LABEL_LENGTH_MAX)] : []),
  ...(LABEL_1035_PATTERN.test(value)
    ? []
    : [
        patternProblem(
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with " +
            'an alphabetic character, and end with an alphanumeric character',
          LABEL_1035,
          'my-name',
          'abc-123',
        ),
      ]),
];

/** `*.example.com`, as hosts of many names are written. */
export const wildcardSubdomainProblems = (value: string): readonly string[] => [
  ...(value.length > SUBDOMAIN_LENGTH_MAX ? [tooLong(SUBDOMAIN_LENGTH_MAX)] : []),
  ...(value.length > SUBDOMAIN_LENGTH_MAX || WILDCARD_PATTERN.test(value)
    ? []
    : [
        patternProblem(
          "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, " +
            "which must consist of lower case alphanumeric characters, '-' or '.' and end with an " +
            'alphanumeric character',
          WILDCARD,
          '*.example.com',
        ),
      ]),
];

/** What may follow the domain in `example.com/controller`. */
export const urlPathProblems = (value: string): readonly string[] =>
  URL_PATH_PATTERN.test(value) ? [] : [patternProblem('Invalid path', URL_PATH)];

/** `prefix.example/Name`, as label, annotation and taint keys are written. */
export const qualifiedNameProblems = (value: string): readonly string[] => {
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `a qualified name ${patternProblem(
        "must consist of alphanumeric characters, '-', '_' or '.', " +
          'and must start and end with an alphanumeric character',
        QUALIFIED_NAME,
        'MyName',
        'my.name',
        '123-abc',
      )} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const [prefix, name = ''] = parts.length === 2 ? parts : [undefined, value];
  return [...prefixProblems(prefix), ...namePartProblems(name)];
};

const prefixProblems = (prefix: string | undefined): readonly string[] => {
  if (prefix === undefined) return [];
  if (prefix === '') return ['prefix part must be non-empty'];
  return dns1123SubdomainProblems(prefix).map((problem) => `prefix part ${problem}`);
};

const namePartProblems = (name: string): readonly string[] => [
  ...(name === '' ? ['name part must be non-empty'] : []),
  ...(name.length > LABEL_LENGTH_MAX ? [`name part ${tooLong(LABEL_LENGTH_MAX)}`] : []),
  ...(QUALIFIED_NAME_PATTERN.test(name)
    ? []
    : [
        `name part ${patternProblem(
          "must consist of alphanumeric characters, '-', '_' or '.', " +
            'and must start and end with an alphanumeric character',
          QUALIFIED_NAME,
          'MyName',
          'my.name',
          '123-abc',
        )}`,
      ]),
];

export const labelValueProblems = (value: string): readonly string[] => [
  ...(value.length > LABEL_LENGTH_MAX ? [tooLong(LABEL_LENGTH_MAX)] : []),
  ...(LABEL_VALUE_PATTERN.test(value)
    ? []
    : [
        patternProblem(
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' " +
            "or '.', and must start and end with an alphanumeric character",
          `(${QUALIFIED_NAME})?`,
          'MyValue',
          'my_value',
          '12345',
        ),
      ]),
];

export const configMapKeyProblems = (value: string): readonly string[] => [
  ...(value.length > SUBDOMAIN_LENGTH_MAX ? [tooLong(SUBDOMAIN_LENGTH_MAX)] : []),
  ...(CONFIG_KEY_PATTERN.test(value)
    ? []
    : [
        patternProblem(
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
          CONFIG_KEY,
          'key.name',
          'KEY_NAME',
          'key-name',
        ),
      ]),
  ...(value === '.' ? ["must not be '.'"] : []),
  ...(value === '..'
    ? ["must not be '..'"]
    : value.startsWith('..')
      ? ["must not start with '..'"]
      : []),
];

export const envNameProblems = (value: string): readonly string[] =>
  ENV_NAME_PATTERN.test(value)
    ? []
    : [
        patternProblem(
          'a valid environment variable name must consist only of printable ASCII characters ' +
            "other than '='",
          ENV_NAME_RELAXED,
        ),
      ];

/** The name of a container port: at most 15 characters, with a letter. */
export const portNameProblems = (value: string): readonly string[] => [
  ...(value.length > 15 ? [tooLong(15)] : []),
  ...(/^[-a-z0-9]*$/.test(value)
    ? []
    : ['must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)']),
  ...(/[a-z]/.test(value) ? [] : ['must contain at least one letter (a-z)']),
  ...(value.includes('--') ? ['must not contain consecutive hyphens'] : []),
  ...(/^-|-$/.test(value) ? ['must not begin or end with a hyphen'] : []),
];

/** Names that only have to be one segment of a path, as those of roles. */
export const pathSegmentProblems = (value: string): readonly string[] => [
  ...(value === '.' || value === '..' ? [`may not be '${value}'`] : []),
  ...['/', '%'].filter((part) => value.includes(part)).map((part) => `may not contain '${part}'`),
];
