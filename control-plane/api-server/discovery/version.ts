import type { VersionInfo } from './health';

/**
 * The API level this server offers, as clients compare it with their own. The program's version
 * follows as build metadata.
 */
export const versionInfo = (programVersion: string): VersionInfo => ({
  major: '1',
  minor: '34',
  gitVersion: `v1.34.0+dhow-${programVersion}`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `none, node ${process.versions.node}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
});
