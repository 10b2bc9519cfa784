import type { Int64 } from '../int64';
import type { DeepReadonly } from '../types';
import { LINUX_STOP_SIGNALS, ownStopSignal, WINDOWS_STOP_SIGNALS } from '../stop-signals';
import type * as core from 'kubernetes-types/core/v1';
import {
  forbidden,
  inRange,
  invalid,
  invalidFor,
  nonNegative,
  notSupported,
  positive,
  required,
  type FieldError,
} from './field-error';
import { portNameProblems } from '../names';

type Probe = DeepReadonly<core.Probe>;
type Handler = DeepReadonly<core.LifecycleHandler & Pick<core.Probe, 'grpc'>>;

const HANDLER_TYPES = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

export const validateProbe = (probe: Probe | undefined, field: string): readonly FieldError[] => {
  if (probe === undefined) return [];
  return [
    ...validateHandler(probe, field),
    ...(
      [
        'initialDelaySeconds',
        'timeoutSeconds',
        'periodSeconds',
        'successThreshold',
        'failureThreshold',
      ] as const
    ).flatMap((name) => nonNegative(`${field}.${name}`, probe[name])),
    ...positive(`${field}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds),
  ];
};

/** Liveness and startup probes end at the first success. */
export const validateSingleSuccess = (
  probe: Probe | undefined,
  field: string,
): readonly FieldError[] =>
  probe?.successThreshold === undefined || probe.successThreshold === 1
    ? []
    : [invalid(`${field}.successThreshold`, probe.successThreshold, 'must be 1')];

export const validateLifecycle = (
  lifecycle: DeepReadonly<core.Lifecycle> | undefined,
  field: string,
  {
    os,
    graceSeconds,
  }: { readonly os: string | undefined; readonly graceSeconds: Int64 | undefined },
): readonly FieldError[] => [
  ...(['postStart', 'preStop'] as const).flatMap((name) => {
    const handler = lifecycle?.[name];
    if (handler === undefined) return [];
    const at = `${field}.${name}`;
    return [
      ...validateHandler(handler, at),
      ...validateSleep(handler.sleep?.seconds, graceSeconds, `${at}.sleep`),
    ];
  }),
  ...validateStopSignal(ownStopSignal(lifecycle), `${field}.stopSignal`, os),
];

/** No longer than the pod has to end. Source: KEP-3960 and KEP-4818 */
const validateSleep = (
  seconds: Int64 | undefined,
  graceSeconds: Int64 | undefined,
  field: string,
): readonly FieldError[] =>
  // A grace period that is missing or negative is refused by itself.
  seconds === undefined ||
  graceSeconds === undefined ||
  graceSeconds < 0 ||
  (seconds >= 0 && seconds <= graceSeconds)
    ? []
    : [
        invalid(
          field,
          seconds,
          `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`,
        ),
      ];

/** Which signals there are depends on the system, so the pod has to name it. */
const validateStopSignal = (
  signal: string | undefined,
  field: string,
  os: string | undefined,
): readonly FieldError[] => {
  if (signal === undefined) return [];
  if (os === undefined || os === '')
    return [forbidden(field, 'may not be set for containers with empty `spec.os.name`')];
  const supported = os === 'windows' ? WINDOWS_STOP_SIGNALS : LINUX_STOP_SIGNALS;
  return supported.includes(signal) ? [] : [notSupported(field, signal, supported)];
};

const validateHandler = (handler: Handler, field: string): readonly FieldError[] => {
  const given = HANDLER_TYPES.filter((type) => handler[type] !== undefined);
  if (given.length === 0) return [required(field, 'must specify a handler type')];
  return [
    ...given
      .slice(1)
      .map((type) => forbidden(`${field}.${type}`, 'may not specify more than 1 handler type')),
    ...(handler.exec !== undefined && (handler.exec.command ?? []).length === 0
      ? [required(`${field}.exec.command`)]
      : []),
    ...validateHttpGet(handler.httpGet, `${field}.httpGet`),
    ...(handler.tcpSocket === undefined
      ? []
      : validatePortOrName(handler.tcpSocket.port, `${field}.tcpSocket.port`)),
    ...inRange(`${field}.grpc.port`, handler.grpc?.port, 1, 65535),
  ];
};

const validateHttpGet = (
  action: DeepReadonly<core.HTTPGetAction> | undefined,
  field: string,
): readonly FieldError[] => {
  if (action === undefined) return [];
  const { path = '', port, scheme = 'HTTP', httpHeaders = [] } = action;
  return [
    ...(path === '' ? [required(`${field}.path`)] : []),
    ...validatePortOrName(port, `${field}.port`),
    ...(scheme === 'HTTP' || scheme === 'HTTPS'
      ? []
      : [notSupported(`${field}.scheme`, scheme, ['HTTP', 'HTTPS'])]),
    ...httpHeaders.flatMap(({ name }) =>
      /^[-A-Za-z0-9]+$/.test(name)
        ? []
        : [
            invalid(
              `${field}.httpHeaders`,
              name,
              "a valid HTTP header must consist of alphanumeric characters or '-' " +
                "(e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
            ),
          ],
    ),
  ];
};

const validatePortOrName = (port: unknown, field: string): readonly FieldError[] =>
  typeof port === 'string'
    ? invalidFor(field, port, portNameProblems(port))
    : inRange(field, port ?? 0, 1, 65535);
