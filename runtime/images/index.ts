export { FakeImageService } from './fake';
export type { FakeImage } from './fake';
export { ownEndpoint } from './endpoints';
export type { EndpointsFor, RegistryEndpoint, RegistryTls } from './endpoints';
export { formatReference, normalizeReference, parseReference, repositoryName } from './reference';
export type { ImageReference } from './reference';
export type { ImageServiceOptions } from './service';
