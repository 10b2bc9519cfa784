// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- profiles are the administrator's
import { readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';

import type { Container, Pod } from '../../api/types';
import type { SeccompSpec, SecuritySpec, UserSpec } from '../../runtime/container-runtime';
import type { LocalImage } from '../../runtime/image-service';
import { resolveUser, UserError, type ResolvedUser } from '../../runtime/images';
import { capabilitiesOf } from './capabilities';
import { ContainerConfigError } from './environment';
import { parseJson } from '../../lib/json';

/** Pure but for a localhost seccomp profile, which is read from `profilesDir`. @throws ContainerConfigError */
export const securityOf = (pod: Pod, container: Container, profilesDir: string): SecuritySpec => {
  const own = container.securityContext;
  const privileged = own?.privileged === true;
  const allowsEscalation = own?.allowPrivilegeEscalation ?? true;
  return {
    privileged,
    capabilities: capabilitiesOf(own?.capabilities),
    noNewPrivileges: !allowsEscalation && !privileged,
    seccomp: seccompOf(
      own?.seccompProfile ?? pod.spec.securityContext?.seccompProfile,
      privileged,
      profilesDir,
    ),
    procMount: own?.procMount === 'Unmasked' ? 'Unmasked' : 'Default',
  };
};

const seccompOf = (
  profile: { readonly type: string; readonly localhostProfile?: string } | undefined,
  privileged: boolean,
  profilesDir: string,
): SeccompSpec => {
  if (privileged || profile?.type === 'Unconfined') return { type: 'unconfined' };
  if (profile?.type !== 'Localhost') return { type: 'default' };
  const name = normalize(profile.localhostProfile ?? '');
  if (name === '.' || name.startsWith('/') || name.split('/').includes('..'))
    throw new ContainerConfigError(`invalid localhostProfile "${name}"`);
  try {
    return { type: 'profile', profile: parseJson(readFileSync(join(profilesDir, name), 'utf8')) };
  } catch (cause) {
    throw new ContainerConfigError(`cannot load seccomp profile "${name}"`, { cause });
  }
};

/**
 * Who a container runs as: the pod's word before the image's, and the image's groups of that user
 * beside the pod's. @throws ContainerConfigError when the user is unknown, or root where that is
 * forbidden.
 */
export const userOf = (
  pod: Pod,
  container: Container,
  { lowerDirs, config }: Pick<LocalImage, 'lowerDirs' | 'config'>,
): UserSpec => {
  const podContext = pod.spec.securityContext;
  const own = container.securityContext;
  const runAsUser = own?.runAsUser ?? podContext?.runAsUser;
  const runAsGroup = own?.runAsGroup ?? podContext?.runAsGroup;
  const found = lookUp(lowerDirs, runAsUser === undefined ? config.user : String(runAsUser));
  const fsGroup = podContext?.fsGroup;
  const extra = [
    ...(podContext?.supplementalGroups ?? []),
    ...(fsGroup === undefined ? [] : [fsGroup]),
  ];
  const user = {
    uid: found.uid,
    gid: runAsGroup ?? found.gid,
    supplementalGids: [...new Set([...found.supplementalGids, ...extra])],
  };
  const mustNotBeRoot = own?.runAsNonRoot ?? podContext?.runAsNonRoot ?? false;
  if (mustNotBeRoot) checkNotRoot(pod, container, user, config.user, runAsUser !== undefined);
  return user;
};

const lookUp = (lowerDirs: readonly string[], user: string): ResolvedUser => {
  try {
    return resolveUser(lowerDirs, user);
  } catch (error) {
    if (error instanceof UserError) throw new ContainerConfigError(error.message, { cause: error });
    throw error;
  }
};

const checkNotRoot = (
  pod: Pod,
  container: Container,
  user: UserSpec,
  imageUser: string,
  isOverridden: boolean,
): void => {
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace ?? ''}(${pod.metadata.uid ?? ''})", container: ${container.name})`;
  if (user.uid === 0)
    throw new ContainerConfigError(
      isOverridden
        ? `container's runAsUser breaks non-root policy ${where}`
        : `container has runAsNonRoot and image will run as root ${where}`,
    );
  const name = imageUser.split(':', 1)[0] ?? '';
  if (!isOverridden && !/^\d+$/.test(name))
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root ${where}`,
    );
};
