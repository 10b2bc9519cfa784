import { parseTracingConfiguration } from './tracing-configuration';

const HEAD = 'apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\n';

it('sends to the port of OTLP over HTTP on this machine, and samples nothing, unless told', () => {
  expect(parseTracingConfiguration(HEAD)).toEqual({ url: 'http://localhost:4318/v1/traces' });
});

it.each([
  ['collector:4318', 'http://collector:4318/v1/traces'],
  ['"[fd00::1]:4318"', 'http://[fd00::1]:4318/v1/traces'],
  ['https://otel.example.com', 'https://otel.example.com/v1/traces'],
  ['http://otel.example.com/custom/path', 'http://otel.example.com/custom/path'],
])('takes the endpoint %s', (endpoint, url) => {
  const text = `${HEAD}endpoint: ${endpoint}\nsamplingRatePerMillion: 100`;
  expect(parseTracingConfiguration(text)).toEqual({ url, samplingRatePerMillion: 100 });
});

it.each([
  ['samplingRatePerMillion: -1', 'samplingRatePerMillion: sampling rate must be positive'],
  [
    'samplingRatePerMillion: 1000001',
    'samplingRatePerMillion: sampling rate per million must be less than or equal to one million',
  ],
  ['endpoint: ftp://a', 'endpoint: unsupported scheme: ftp.  Options are none, http, or https'],
  ['endpoint: http://u:p@a', 'endpoint: must not contain a user or a password'],
  ['endpoint: "a b"', 'endpoint: not HOST:PORT, and no URL'],
  ['samplingRate: 1', 'Unrecognized key: "samplingRate"'],
  ['---\na: 1', 'it must be one document'],
])('refuses %j by the field that is wrong', (text, problem) => {
  expect(() => parseTracingConfiguration(HEAD + text)).toThrow(
    `invalid tracing configuration: ${problem}`,
  );
});
