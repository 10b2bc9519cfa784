import { hostnameOverrideOf } from '../pods';
import type { PodSpec } from '../types';
import { validateIp } from './addresses';
import { validateAffinity, validateTolerations, validateTopologySpread } from './affinity';
import { validateContainers, validateInitContainers, type ContainerContext } from './containers';
import { validateEphemeralContainers } from './ephemeral-containers';
import {
  forbidden,
  inRange,
  invalid,
  invalidFor,
  nonNegative,
  oneOf,
  required,
  tooLong,
  tooMany,
  type FieldError,
} from './field-error';
import { validateLabels } from './metadata';
import { validatePodLevelResources } from './pod-level-resources';
import { dns1123LabelProblems, dns1123SubdomainProblems, qualifiedNameProblems } from '../names';
import { validateList } from './resources';
import { validatePodSecurityContext } from './security';
import { mayBeBlock, validateVolumes } from './volumes';

const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const NAMESERVERS_MAX = 3;
const SEARCHES_MAX = 32;

/** A pod's spec after defaulting, whether of a pod or of a template. */
export const validatePodSpec = (spec: PodSpec, field: string): readonly FieldError[] => {
  const context: ContainerContext = {
    volumes: new Map((spec.volumes ?? []).map((volume) => [volume.name, mayBeBlock(volume)])),
    hostNetwork: spec.hostNetwork === true,
    os: spec.os?.name,
    graceSeconds: spec.terminationGracePeriodSeconds,
    restartPolicy: spec.restartPolicy,
    names: new Set(),
  };
  return [
    ...validateVolumes(spec.volumes ?? [], `${field}.volumes`, field === 'spec'),
    ...validateContainers(spec.containers, `${field}.containers`, context),
    ...validateInitContainers(spec.initContainers ?? [], `${field}.initContainers`, context),
    ...validateEphemeralContainers(
      spec.ephemeralContainers ?? [],
      `${field}.ephemeralContainers`,
      context,
    ),
    ...validatePodLevelResources(spec, `${field}.resources`),
    ...validatePolicies(spec, field),
    ...validateLabels(spec.nodeSelector, `${field}.nodeSelector`),
    ...validatePodSecurityContext(spec.securityContext, spec, `${field}.securityContext`),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, i) =>
      (name ?? '') === '' ? [required(`${field}.imagePullSecrets[${i}].name`)] : [],
    ),
    ...validateAffinity(spec.affinity, `${field}.affinity`),
    ...validateDns(spec, field),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, i) =>
      invalidFor(
        `${field}.readinessGates[${i}].conditionType`,
        conditionType,
        qualifiedNameProblems(conditionType),
      ),
    ),
    ...(spec.schedulingGates ?? []).flatMap(({ name }, i) =>
      invalidFor(`${field}.schedulingGates[${i}]`, name, qualifiedNameProblems(name)),
    ),
    ...validateTopologySpread(
      spec.topologySpreadConstraints ?? [],
      `${field}.topologySpreadConstraints`,
    ),
    ...validateNames(spec, field),
    ...validateHostUse(spec, field),
    ...inRange(`${field}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, 2 ** 31 - 1),
    ...nonNegative(`${field}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds),
    ...validateTolerations(spec.tolerations ?? [], `${field}.tolerations`),
    ...validateHostAliases(spec, `${field}.hostAliases`),
    ...validateList(spec.overhead ?? {}, `${field}.overhead`),
  ];
};

const validatePolicies = (spec: PodSpec, field: string): readonly FieldError[] => [
  ...(spec.os === undefined ? [] : oneOf(`${field}.os.name`, spec.os.name, ['linux', 'windows'])),
  ...oneOf(`${field}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
  ...oneOf(`${field}.dnsPolicy`, spec.dnsPolicy, DNS_POLICIES),
  ...oneOf(`${field}.preemptionPolicy`, spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']),
];

const validateNames = (spec: PodSpec, field: string): readonly FieldError[] => {
  const check = (
    name: 'serviceAccountName' | 'nodeName' | 'priorityClassName' | 'runtimeClassName',
  ) => invalidFor(`${field}.${name}`, spec[name], dns1123SubdomainProblems(spec[name] ?? 'x'));
  const label = (name: 'hostname' | 'subdomain') =>
    invalidFor(`${field}.${name}`, spec[name], dns1123LabelProblems(spec[name] ?? 'x'));
  return [
    ...check('serviceAccountName'),
    ...check('nodeName'),
    ...label('hostname'),
    ...label('subdomain'),
    ...validateHostnameOverride(spec, field),
    ...check('priorityClassName'),
    ...check('runtimeClassName'),
    ...invalidFor(
      `${field}.schedulerName`,
      spec.schedulerName,
      qualifiedNameProblems(spec.schedulerName ?? 'x'),
    ),
  ];
};

/** Source: KEP-4762. */
const validateHostnameOverride = (spec: PodSpec, field: string): readonly FieldError[] => {
  const name = hostnameOverrideOf(spec);
  const at = `${field}.hostnameOverride`;
  if (name === '') return [];
  return [
    ...invalidFor(at, name, dns1123SubdomainProblems(name)),
    ...(name.length > HOSTNAME_MAX ? [tooLong(at, HOSTNAME_MAX)] : []),
    ...(spec.hostNetwork === true
      ? [forbidden(at, 'may not be specified when hostNetwork is true')]
      : []),
    ...(spec.setHostnameAsFQDN === true
      ? [forbidden(at, 'may not be specified when setHostnameAsFQDN is true')]
      : []),
  ];
};

/** Source: uname(2), `nodename`. */
const HOSTNAME_MAX = 64;

/** Sharing the process namespace contradicts using the host's. */
const validateHostUse = (spec: PodSpec, field: string): readonly FieldError[] =>
  spec.hostPID === true && spec.shareProcessNamespace === true
    ? [
        invalid(
          `${field}.shareProcessNamespace`,
          true,
          'ShareProcessNamespace and HostPID cannot both be enabled',
        ),
      ]
    : [];

const validateDns = (spec: PodSpec, field: string): readonly FieldError[] => {
  const { nameservers = [], searches = [], options = [] } = spec.dnsConfig ?? {};
  const at = `${field}.dnsConfig`;
  if (spec.dnsPolicy === 'None' && nameservers.length === 0) {
    return [
      required(
        spec.dnsConfig === undefined ? at : `${at}.nameservers`,
        spec.dnsConfig === undefined
          ? 'must provide `dnsConfig` when `dnsPolicy` is None'
          : 'must provide at least one DNS nameserver when `dnsPolicy` is None',
      ),
    ];
  }
  return [
    ...(nameservers.length > NAMESERVERS_MAX
      ? [tooMany(`${at}.nameservers`, nameservers.length, NAMESERVERS_MAX)]
      : []),
    ...nameservers.flatMap((address, i) => validateIp(address, `${at}.nameservers[${i}]`)),
    ...(searches.length > SEARCHES_MAX
      ? [tooMany(`${at}.searches`, searches.length, SEARCHES_MAX)]
      : []),
    ...searches.flatMap((search, i) =>
      search === '.'
        ? []
        : invalidFor(
            `${at}.searches[${i}]`,
            search,
            dns1123SubdomainProblems(search.replace(/\.$/, '').replaceAll('_', '-')),
          ),
    ),
    ...options.flatMap(({ name }, i) =>
      (name ?? '') === '' ? [required(`${at}.options[${i}]`, 'must not be empty')] : [],
    ),
  ];
};

const validateHostAliases = (spec: PodSpec, field: string): readonly FieldError[] =>
  (spec.hostAliases ?? []).flatMap(({ ip, hostnames = [] }, i) => [
    ...validateIp(ip, `${field}[${i}].ip`),
    ...hostnames.flatMap((name, j) =>
      invalidFor(`${field}[${i}].hostnames[${j}]`, name, dns1123SubdomainProblems(name)),
    ),
  ]);
