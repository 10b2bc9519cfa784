import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock as clock } from '../lib/clock';
import type { Log } from '../lib/log';
import { AuditLog } from './api-server/audit/audit-log';
import { Auditor } from './api-server/audit/auditor';
import { parseAuditPolicy } from './api-server/audit/policy';
import { ConfiguredAuthentication } from './api-server/auth/configured-authentication';
import { httpsDocuments } from './api-server/auth/fetch-document';
import { issuerOf, OidcAuthenticator, userByFlags } from './api-server/auth/oidc';
import type { ServerConfig } from './config';

/** What writes down who did what, if that is asked for. */
export const openAudit = async (config: ServerConfig, log: Log) => {
  const { auditPolicyFile, auditLogPath, dataDir } = config;
  if (auditPolicyFile === undefined) return undefined;
  const policy = parseAuditPolicy(await readFile(auditPolicyFile, 'utf8'));
  const options = {
    path: auditLogPath ?? join(dataDir, 'audit.log'),
    bytesMax: config.auditLogMaxSizeMib * 1024 * 1024,
    backupsMax: config.auditLogMaxBackups,
  };
  const sink = new AuditLog(options, clock, log);
  const auditor = new Auditor({ policy, sink, clock });
  return { auditor, [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() };
};

/** Who is known by tokens of other issuers, and where nobody need be. `run` follows what may change. */
export const openAuthentication = async (config: ServerConfig, log: Log) => {
  const { authenticationConfigFile: file, oidc, anonymousAuth } = config;
  if (file === undefined)
    return {
      deps: { ...(await openOidc(config, log)), takesAnonymous: () => anonymousAuth ?? false },
      run: async () => undefined,
    };
  if (oidc !== undefined)
    throw new Error('authentication-config file and oidc-* flags are mutually exclusive');
  const fetchBy = (ca: string | undefined) => httpsDocuments(clock, ca);
  const read = () => readFile(file, 'utf8');
  const configured = await ConfiguredAuthentication.open({ read, fetchBy, clock, log });
  if (configured.anonymous !== undefined && anonymousAuth !== undefined)
    throw new Error(
      '--anonymous-auth flag cannot be set when anonymous field is configured in ' +
        'authentication configuration file',
    );
  const takesAnonymous = (path: string): boolean => {
    const { enabled, paths } = configured.anonymous ?? { enabled: anonymousAuth, paths: NO_PATHS };
    return enabled === true && (paths.length === 0 || paths.includes(path));
  };
  return {
    deps: { oidc: configured, takesAnonymous },
    run: (signal: AbortSignal) => configured.follow(signal),
  };
};

const NO_PATHS: readonly string[] = [];

/** Knows users by the tokens of the issuer that the flags name, if they name one. */
const openOidc = async ({ oidc: given }: ServerConfig, log: Log) => {
  if (given === undefined) return {};
  const { caFile, usernamePrefix, groupsClaim, ...others } = given;
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
  const options = {
    ...others,
    ...(usernamePrefix === undefined ? {} : { usernamePrefix }),
    ...(groupsClaim === undefined ? {} : { groupsClaim }),
  };
  const oidc = new OidcAuthenticator({
    ...{ issuer: issuerOf(options), userOfClaims: userByFlags(options) },
    ...{ fetch: httpsDocuments(clock, ca), clock, log },
  });
  return { oidc };
};
