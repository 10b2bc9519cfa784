import type * as core from 'kubernetes-types/core/v1';
import { defaultPodLevelResources } from './pod-level-resources';

/**
 * What a pod, or the pod in a template, gets where its author said nothing. Changes the spec in
 * place: it is a fresh copy, as decoding makes one.
 */
export const defaultPodSpec = (spec: core.PodSpec): void => {
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.restartPolicy ??= 'Always';
  spec.schedulerName ??= 'default-scheduler';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  shareServiceAccountName(spec);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of containersOf(spec)) {
    defaultContainer(container, spec.hostNetwork === true);
  }
};

/** What only a pod itself gets, and templates do not. */
export const defaultPod = (pod: core.Pod): void => {
  const spec = (pod.spec ??= { containers: [] });
  defaultPodSpec(spec);
  spec.enableServiceLinks ??= true;
  for (const { resources } of containersOf(spec)) {
    if (resources?.limits === undefined) continue;
    // A limit without a request asks for all of it.
    resources.requests = { ...resources.limits, ...resources.requests };
  }
  defaultPodLevelResources(spec);
};

const containersOf = (spec: core.PodSpec): readonly core.Container[] => [
  ...((spec.containers as core.Container[] | null) ?? []),
  ...(spec.initContainers ?? []),
  ...((spec.ephemeralContainers as core.Container[] | undefined) ?? []),
];

/** The old name of the field still goes both ways. */
const shareServiceAccountName = (spec: core.PodSpec): void => {
  const name = spec.serviceAccountName ?? spec.serviceAccount;
  if (name === undefined) return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
};

const defaultContainer = (container: core.Container, hostNetwork: boolean): void => {
  container.imagePullPolicy ??= pullPolicyOf(container.image ?? '');
  container.resources ??= {};
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  for (const port of container.ports ?? []) {
    port.protocol ??= 'TCP';
    if (hostNetwork) port.hostPort ??= port.containerPort;
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) valueFrom.fieldRef.apiVersion ??= 'v1';
    if (valueFrom?.resourceFieldRef !== undefined) valueFrom.resourceFieldRef.divisor ??= '0';
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name];
    if (probe !== undefined) defaultProbe(probe);
  }
  defaultHttpGet(container.lifecycle?.postStart?.httpGet);
  defaultHttpGet(container.lifecycle?.preStop?.httpGet);
};

/** The newest image must be looked for; a fixed tag or digest need not. */
const pullPolicyOf = (image: string): string => {
  const name = image.slice(image.lastIndexOf('/') + 1);
  if (name.includes('@')) return 'IfNotPresent';
  const tag = name.split(':')[1] ?? 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
};

const defaultProbe = (probe: core.Probe): void => {
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  defaultHttpGet(probe.httpGet);
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
};

const defaultHttpGet = (action: core.HTTPGetAction | undefined): void => {
  if (action === undefined) return;
  action.path ??= '/';
  action.scheme ??= 'HTTP';
};

const DEFAULT_MODE = 0o644;
const TOKEN_SECONDS = 3600;

const defaultVolume = (volume: core.Volume): void => {
  // A volume that names no source is an empty directory.
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {};
  if (volume.hostPath !== undefined) volume.hostPath.type ??= '';
  for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected]) {
    if (source !== undefined) source.defaultMode ??= DEFAULT_MODE;
  }
  if (volume.image !== undefined)
    volume.image.pullPolicy ??= pullPolicyOf(volume.image.reference ?? '');
  defaultFieldRefs(volume.downwardAPI?.items);
  for (const source of volume.projected?.sources ?? []) {
    defaultFieldRefs(source.downwardAPI?.items);
    if (source.serviceAccountToken !== undefined) {
      source.serviceAccountToken.expirationSeconds ??= TOKEN_SECONDS;
    }
  }
};

const defaultFieldRefs = (items: readonly core.DownwardAPIVolumeFile[] | undefined): void => {
  for (const { fieldRef, resourceFieldRef } of items ?? []) {
    if (fieldRef !== undefined) fieldRef.apiVersion ??= 'v1';
    if (resourceFieldRef !== undefined) resourceFieldRef.divisor ??= '0';
  }
};
