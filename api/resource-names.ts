/**
 * Names of what can be limited, requested and counted, told apart as upstream does. Those without a
 * domain are Kubernetes' own.
 */

const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'] as const;

/** Counted as `NAME` by a quota, besides `count/NAME`. */
const COUNTS = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
] as const;

const REQUESTS = 'requests.';
const HUGE_PAGES = 'hugepages-';

const CONTAINER: ReadonlySet<string> = new Set(COMPUTE);
const INTEGER: ReadonlySet<string> = new Set(COUNTS);
const QUOTA: ReadonlySet<string> = new Set([
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`${REQUESTS}${name}`, `limits.${name}`]),
  ...COUNTS,
  'requests.storage',
]);

export const isHugePages = (name: string): boolean => name.startsWith(HUGE_PAGES);

const isQuotaHugePages = (name: string): boolean =>
  isHugePages(name) || name.startsWith(`${REQUESTS}${HUGE_PAGES}`);

/** One that a container may ask for. */
export const isStandardContainerResource = (name: string): boolean =>
  CONTAINER.has(name) || isHugePages(name);

/** One that a quota may bound. */
export const isStandardQuotaResource = (name: string): boolean =>
  QUOTA.has(name) || isQuotaHugePages(name);

/** One that means something somewhere. */
export const isStandardResource = (name: string): boolean =>
  isStandardQuotaResource(name) || name === 'storage';

/** In the domain of Kubernetes, said or not. */
export const isNativeResource = (name: string): boolean =>
  !name.includes('/') || name.includes('kubernetes.io/');

/** Of a device or the like, in a domain of its own. */
export const isExtendedResource = (name: string): boolean =>
  !isNativeResource(name) && !name.startsWith(REQUESTS);

/** How a quota calls the requests of an extended resource: `requests.example.com/gpu`. */
export const isExtendedQuotaResource = (name: string): boolean =>
  !isNativeResource(name) && name.startsWith(REQUESTS);

/** There is no half of it. */
export const isIntegerResource = (name: string): boolean =>
  INTEGER.has(name) || isExtendedResource(name);

/** May more be promised than there is? Else a request must equal its limit. */
export const isOvercommitAllowed = (name: string): boolean =>
  isNativeResource(name) && !isHugePages(name);
