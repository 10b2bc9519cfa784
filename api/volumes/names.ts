/*
 * The annotations, finalizers and names by which those who bind, provision and protect volumes tell
 * each other what they have done. Source: k8s.io/component-helpers/storage/volume, pkg/volume/util.
 */

/** On a claim: a volume was bound to it once; without the volume it is lost. */
export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
/** The binder chose, not the user: what it wrote it may take back. */
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
/** On a claim: the node of its first consumer, chosen by the scheduler. */
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
/** On a claim: who is to make a volume for it. */
export const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
export const STORAGE_PROVISIONER_BETA = 'volume.beta.kubernetes.io/storage-provisioner';
/** On a volume: who made it. */
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
/** On either: its class, from before there was a field. */
export const CLASS_BETA = 'volume.beta.kubernetes.io/storage-class';

export const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection';
export const VOLUME_PROTECTION = 'kubernetes.io/pv-protection';

/** Of classes whose volumes an administrator makes. */
export const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

/** Dhow's own provisioner: a folder on the node of the first consumer. */
export const LOCAL_PATH = 'dhow.dev/local-path';
/** On a volume of it: the name of the node whose agent keeps the folder. */
export const VOLUME_NODE = 'dhow.dev/volume-node';
/** Holds a volume of it until its folder is gone. */
export const FOLDER_FINALIZER = 'dhow.dev/volume-folder';
