export {
  groupVersionParts,
  metaParts,
  openApiPath,
  openApiV3,
  openApiV3Index,
  type DocumentedResource,
  type OpenApiDocument,
  type OpenApiParts,
} from './documents';
export { openApiV2, piecesOf, type OpenApiV2, type Pieces } from './v2';
