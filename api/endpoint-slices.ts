/** Labels and annotations of services, slices and Endpoints, by upstream's names. */

/** Of a slice: the Service whose endpoints it has. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Of a Service: another than the nodes' own proxy carries its traffic. */
export const SERVICE_PROXY_LABEL = 'service.kubernetes.io/service-proxy-name';
