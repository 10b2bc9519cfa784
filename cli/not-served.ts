/**
 * What users of Kubernetes ask for that Dhow does not have yet, so that the answer does not sound
 * like a misspelling. A kind that becomes served is taken off this list; a test compares the two.
 */
const KINDS: readonly (readonly [kind: string, plural: string, ...shortNames: string[]])[] = [
  ['FlowSchema', 'flowschemas'],
  ['PriorityLevelConfiguration', 'prioritylevelconfigurations'],
  ['DeviceClass', 'deviceclasses'],
  ['ResourceClaim', 'resourceclaims'],
  ['ResourceClaimTemplate', 'resourceclaimtemplates'],
  ['ResourceSlice', 'resourceslices'],
  ['VolumeAttributesClass', 'volumeattributesclasses', 'vac'],
];

/** The kind that a user means by `svc`, `service` or `Service` when Dhow does not serve it. */
export const unservedKind = (name: string): string | undefined => {
  const wanted = (name.split('.')[0] ?? '').toLowerCase();
  return KINDS.find(([kind, ...names]) => [kind.toLowerCase(), ...names].includes(wanted))?.[0];
};

/** Verbs of kubectl's that `dhow` lacks and kubectl carries out on a Dhow cluster. */
const BY_KUBECTL: ReadonlySet<string> = new Set([
  ...['certificate', 'debug', 'kustomize', 'proxy'],
]);

/** What to say to somebody who typed a verb of kubectl's; undefined for all other words. */
export const verbElsewhere = (verb: string): string | undefined => {
  if (BY_KUBECTL.has(verb)) {
    return (
      `dhow has no command '${verb}' yet, but kubectl does it on this cluster:\n` +
      `  dhow kubeconfig > lab.kubeconfig && kubectl --kubeconfig lab.kubeconfig ${verb} ...`
    );
  }
  return undefined;
};
