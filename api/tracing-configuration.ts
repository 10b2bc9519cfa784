import { z } from 'zod';
import { readYaml } from './yaml';

/** Where spans go, and how many there are. */
export interface TracingConfiguration {
  /** Of an OTLP/HTTP collector: `http://localhost:4318/v1/traces`. */
  readonly url: string;
  /** Undefined: only what callers sample is traced. */
  readonly samplingRatePerMillion?: number;
}

/*
 * Source: upstream's component-base/tracing/api/v1, whose words these are where it has any. Spans go out
 * over HTTP and not over gRPC, so an endpoint may be a URL, and the default is OTLP's port for HTTP.
 */
const schema = z.strictObject({
  apiVersion: z.enum([
    'apiserver.config.k8s.io/v1',
    'apiserver.config.k8s.io/v1beta1',
    'apiserver.config.k8s.io/v1alpha1',
  ]),
  kind: z.literal('TracingConfiguration'),
  endpoint: z
    .string()
    .max(2048)
    .transform((text, context) => {
      const url = urlOf(text);
      if (typeof url !== 'string') return url.href;
      context.addIssue({ code: 'custom', message: url });
      return z.NEVER;
    })
    .nullish(),
  samplingRatePerMillion: z
    .int32()
    .min(0, 'sampling rate must be positive')
    .max(1_000_000, 'sampling rate per million must be less than or equal to one million')
    .nullish(),
});

/** What is wrong with it, or where it leads. */
const urlOf = (endpoint: string): URL | string => {
  const text = endpoint.includes('//') ? endpoint : `http://${endpoint}`;
  if (!URL.canParse(text)) return 'not HOST:PORT, and no URL';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `unsupported scheme: ${url.protocol.slice(0, -1)}.  Options are none, http, or https`;
  if (url.username !== '' || url.password !== '') return 'must not contain a user or a password';
  if (url.pathname === '/') url.pathname = TRACES_PATH;
  return url;
};

/** Of a file of one document. @throws Error that names each wrong field */
export const parseTracingConfiguration = (text: string): TracingConfiguration => {
  const documents = readYaml(text, { bytesMax: FILE_BYTES_MAX });
  const result = schema.safeParse(documents[0]?.value);
  if (result.success && documents.length === 1) {
    const { endpoint, samplingRatePerMillion } = result.data;
    return {
      url: endpoint ?? `http://localhost:4318${TRACES_PATH}`,
      ...(samplingRatePerMillion == null ? {} : { samplingRatePerMillion }),
    };
  }
  const problems = result.success
    ? ['it must be one document']
    : result.error.issues.map(({ path, message }) =>
        [path.join('.'), message].filter(Boolean).join(': '),
      );
  throw new Error(`invalid tracing configuration: ${problems.join('; ')}`);
};

/** Source: the OTLP specification. */
const TRACES_PATH = '/v1/traces';
const FILE_BYTES_MAX = 64 * 1024;
