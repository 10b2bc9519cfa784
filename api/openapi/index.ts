export {
  groupVersionParts,
  metaParts,
  openApiPath,
  openApiV3,
  openApiV3Index,
  type DocumentedResource,
  type OpenApiParts,
} from './documents';
export { openApiV2Json, openApiV2Protobuf } from './v2';
