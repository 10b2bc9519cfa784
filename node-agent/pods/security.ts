import { readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';

import type { Container, Pod } from '../../api/types';
import type { SeccompSpec, SecuritySpec, UserSpec } from '../../runtime/container-runtime';
import { capabilitiesOf } from './capabilities';
import { ContainerConfigError } from './environment';
import { resolveUser, type ImageFileReader } from './image-user';

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
    return { type: 'profile', profile: JSON.parse(readFileSync(join(profilesDir, name), 'utf8')) };
  } catch (cause) {
    throw new ContainerConfigError(`cannot load seccomp profile "${name}"`, { cause });
  }
};

/** @throws ContainerConfigError when the user is unknown, or root where the pod forbids it. */
export const userOf = (
  pod: Pod,
  container: Container,
  imageUser: string,
  read: ImageFileReader,
): UserSpec => {
  const podContext = pod.spec.securityContext;
  const own = container.securityContext;
  const override = {
    uid: own?.runAsUser ?? podContext?.runAsUser,
    gid: own?.runAsGroup ?? podContext?.runAsGroup,
  };
  const fsGroup = podContext?.fsGroup;
  const extra = [
    ...(podContext?.supplementalGroups ?? []),
    ...(fsGroup === undefined ? [] : [fsGroup]),
  ];
  const user = resolveUser(imageUser, override, extra, read);
  const mustNotBeRoot = own?.runAsNonRoot ?? podContext?.runAsNonRoot ?? false;
  if (mustNotBeRoot) checkNotRoot(pod, container, user, imageUser, override.uid !== undefined);
  return user;
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
