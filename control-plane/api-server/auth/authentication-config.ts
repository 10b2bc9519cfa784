import { z } from 'zod';
import { readYaml } from '../../../api/yaml';
import { claimRules, type ClaimRules } from './claim-rules';
import { SIGNING_ALGORITHMS, type TokenIssuer } from './token-issuer';

/** What an AuthenticationConfiguration says, with its expressions compiled. */
export interface AuthenticationConfig {
  readonly jwt: readonly JwtAuthenticator[];
  /** Undefined: the file says nothing of requests without a name. */
  readonly anonymous?: AnonymousConfig;
}

export interface JwtAuthenticator {
  readonly issuer: TokenIssuer;
  /** PEM: who vouches for the issuer. Default: who is trusted in general. */
  readonly certificateAuthority?: string;
  readonly rules: ClaimRules;
}

export interface AnonymousConfig {
  readonly enabled: boolean;
  /** Where such requests are taken. Empty: everywhere. */
  readonly paths: readonly string[];
}

/*
 * Source: kube-apiserver's pkg/apis/apiserver types and validation, whose words these are where it has
 * any. `egressSelectorType` is refused: there are no egress selectors.
 */

const https = z.string().superRefine((text, context) => {
  const problem = httpsProblem(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

const httpsProblem = (text: string): string | undefined => {
  if (text === '') return 'URL is required';
  if (!URL.canParse(text)) return 'URL must be valid';
  const url = new URL(text);
  if (url.protocol !== 'https:') return 'URL scheme must be https';
  if (url.username !== '' || url.password !== '')
    return 'URL must not contain a username or password';
  if (url.search !== '') return 'URL must not contain a query';
  return url.hash === '' ? undefined : 'URL must not contain a fragment';
};

const issuerSchema = z
  .strictObject({
    url: https,
    discoveryURL: https.optional(),
    certificateAuthority: z
      .string()
      .refine(
        (pem) => pem === '' || pem.includes('-----BEGIN CERTIFICATE-----'),
        'data does not contain any valid RSA or ECDSA certificates',
      )
      .optional(),
    audiences: z
      .array(z.string().min(1, 'audience is required'))
      .min(1, 'at least one audience is required')
      .max(64),
    audienceMatchPolicy: z.enum(['MatchAny', '']).optional(),
  })
  .refine(
    ({ audiences, audienceMatchPolicy }) =>
      audiences.length < 2 || audienceMatchPolicy === 'MatchAny',
    'audienceMatchPolicy must be MatchAny for multiple audiences',
  )
  .refine(({ audiences }) => new Set(audiences).size === audiences.length, 'duplicate audience')
  .refine(
    ({ url, discoveryURL }) => discoveryURL?.replace(/\/$/, '') !== url.replace(/\/$/, ''),
    'discoveryURL must be different from URL',
  );

const BOTH = "claim and expression can't both be set";

const named = z
  .strictObject({
    claim: z.string().default(''),
    prefix: z.string().optional(),
    expression: z.string().default(''),
  })
  .refine(({ claim, expression }) => claim === '' || expression === '', BOTH)
  .refine(
    ({ expression, prefix }) => expression === '' || prefix === undefined,
    "prefix can't be set when expression is set",
  )
  .refine(
    ({ claim, prefix }) => claim === '' || prefix !== undefined,
    'prefix is required when claim is set. It can be set to an empty string to disable prefixing',
  );

const isSaid = ({ claim, expression }: { claim: string; expression: string }): boolean =>
  claim !== '' || expression !== '';
const NEITHER = 'claim or expression is required';

const mappingsSchema = z.strictObject({
  username: named.refine(isSaid, NEITHER),
  groups: named.default({ claim: '', expression: '' }),
  uid: z
    .strictObject({ claim: z.string().default(''), expression: z.string().default('') })
    .refine(({ claim, expression }) => claim === '' || expression === '', BOTH)
    .default({ claim: '', expression: '' }),
  extra: z
    .array(
      z.strictObject({
        key: z
          .string()
          .regex(
            /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[a-z0-9._~!$&'()*+,;=:@%/-]+$/,
            'must be a domain-prefixed path (such as "acme.io/foo") in lower case',
          )
          .refine(
            (key) => !/(^|\.)(k8s|kubernetes)\.io\//.test(key),
            'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use',
          ),
        valueExpression: z.string().min(1, 'valueExpression is required'),
      }),
    )
    .max(64)
    .default([])
    .refine((extra) => new Set(extra.map(({ key }) => key)).size === extra.length, 'duplicate key'),
});

const claimRuleSchema = z
  .strictObject({
    claim: z.string().default(''),
    requiredValue: z.string().default(''),
    expression: z.string().default(''),
    message: z.string().default(''),
  })
  .refine(({ claim, expression }) => claim === '' || expression === '', BOTH)
  .refine(isSaid, NEITHER)
  .refine(
    ({ expression, requiredValue }) => expression === '' || requiredValue === '',
    "requiredValue can't be set when expression is set",
  )
  .refine(
    ({ claim, message }) => claim === '' || message === '',
    "message can't be set when claim is set",
  );

const jwtSchema = z.strictObject({
  issuer: issuerSchema,
  claimValidationRules: z.array(claimRuleSchema).max(64).default([]),
  claimMappings: mappingsSchema,
  userValidationRules: z
    .array(
      z.strictObject({
        expression: z.string().min(1, 'expression is required'),
        message: z.string().default(''),
      }),
    )
    .max(64)
    .default([]),
});

type JwtSpec = z.output<typeof jwtSchema>;

const anonymousSchema = z
  .strictObject({
    enabled: z.boolean().default(false),
    conditions: z
      .array(z.strictObject({ path: z.string().startsWith('/') }))
      .max(1000)
      .default([]),
  })
  .refine(
    ({ enabled, conditions }) => enabled || conditions.length === 0,
    'enabled should be set to true when conditions are defined',
  );

const configSchema = z.strictObject({
  apiVersion: z.enum(['apiserver.config.k8s.io/v1', 'apiserver.config.k8s.io/v1beta1']),
  kind: z.literal('AuthenticationConfiguration'),
  jwt: z
    .array(jwtSchema)
    .max(64, 'must have at most 64 items')
    .default([])
    .refine(
      (all) => new Set(all.map(({ issuer }) => issuer.url)).size === all.length,
      'duplicate issuer.url',
    ),
  anonymous: anonymousSchema.optional(),
});

/** @throws Error that names each wrong field */
export const parseAuthenticationConfig = (text: string): AuthenticationConfig => {
  const documents = readYaml(text, { bytesMax: FILE_BYTES_MAX });
  const result = configSchema.safeParse(documents[0]?.value);
  if (!result.success || documents.length !== 1) throw invalid(result.error?.issues ?? []);
  const { jwt, anonymous } = result.data;
  const problems: Problem[] = [];
  const authenticators = jwt.map((spec, i) =>
    authenticatorOf(spec, (path, message) => problems.push({ path: ['jwt', i, ...path], message })),
  );
  if (problems.length > 0) throw invalid(problems);
  return {
    jwt: authenticators,
    ...(anonymous === undefined
      ? {}
      : {
          anonymous: {
            enabled: anonymous.enabled,
            paths: anonymous.conditions.map(({ path }) => path),
          },
        }),
  };
};

const authenticatorOf = (
  spec: JwtSpec,
  fail: (path: readonly (string | number)[], message: string) => void,
): JwtAuthenticator => {
  const { url, discoveryURL, certificateAuthority = '', audiences } = spec.issuer;
  return {
    issuer: {
      ...{ url, audiences, signingAlgorithms: SIGNING_ALGORITHMS },
      ...(discoveryURL === undefined ? {} : { discoveryUrl: discoveryURL }),
    },
    ...(certificateAuthority === '' ? {} : { certificateAuthority }),
    rules: claimRules(spec, fail),
  };
};

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const invalid = (problems: readonly Problem[]): Error => {
  const texts = problems.map(({ path, message }) => `${pathText(path)}: ${message}`);
  return new Error(
    `invalid authentication configuration: ${texts.join('; ') || 'it must be one document'}`,
  );
};

/** `jwt[0].issuer.url` */
const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');

const FILE_BYTES_MAX = 1024 * 1024;
