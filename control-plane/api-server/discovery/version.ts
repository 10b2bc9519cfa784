import { KUBERNETES_RELEASE, KUBERNETES_VERSION } from '../../../api/release';
import type { VersionInfo } from './health';

/**
 * The API level this server offers, as clients compare it with their own. The program's version
 * follows as build metadata.
 */
export const versionInfo = (programVersion: string): VersionInfo => ({
  major: KUBERNETES_RELEASE.major,
  minor: KUBERNETES_RELEASE.minor,
  emulationMajor: KUBERNETES_RELEASE.major,
  emulationMinor: KUBERNETES_RELEASE.minor,
  // Nothing of an older API is kept: the store is read by this very release.
  minCompatibilityMajor: KUBERNETES_RELEASE.major,
  minCompatibilityMinor: KUBERNETES_RELEASE.minor,
  gitVersion: `${KUBERNETES_VERSION}+dhow-${programVersion}`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `none, node ${process.versions.node}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
});
