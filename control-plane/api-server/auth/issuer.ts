import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import { ISSUER, type ServiceAccountTokens } from './service-account-tokens';

/** What others need to check tokens without asking; undefined for other paths. */
export const serveIssuer = async (
  { path }: ApiRequest,
  tokens: ServiceAccountTokens,
): Promise<ApiResponse | undefined> => {
  switch (path) {
    case '/.well-known/openid-configuration':
      return jsonResponse({
        issuer: ISSUER,
        jwks_uri: `${ISSUER}${KEYS_PATH}`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [await tokens.algorithm()],
      });
    case KEYS_PATH:
      return jsonResponse(await tokens.keySet());
    default:
      return undefined;
  }
};

const KEYS_PATH = '/openid/v1/jwks';
