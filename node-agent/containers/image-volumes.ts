import { type Container, type Pod, uidOf } from '../../api/types';
import type { PreparedVolumes } from '../volumes/volume-manager';
import type { PodDeps } from './pod-deps';

/**
 * Brings and mounts the images that the container has as volumes. One that is mounted stays as it is
 * for all the pod's life, whatever its name stands for meanwhile. @throws ImageWaitError
 * Source: KEP-4639.
 */
export const ensureImageVolumes = async (
  { puller, images, volumes }: Pick<PodDeps, 'puller' | 'images' | 'volumes'>,
  pod: Pod,
  container: Container,
  signal: AbortSignal,
): Promise<PreparedVolumes> => {
  const podUid = uidOf(pod);
  const paths = new Map<string, string>();
  for (const { name, image: source } of pod.spec.volumes ?? []) {
    if (source === undefined || !isMountedBy(container, name)) continue;
    const mounted = volumes.imagePath(podUid, name);
    if (mounted !== undefined) {
      paths.set(name, mounted);
      continue;
    }
    const image = await puller.ensureVolume(pod, source, signal);
    // Before it is mounted: whatever a mount shows must stay.
    images.pin(image.id, podUid);
    paths.set(name, volumes.mountImage(podUid, name, image.lowerDirs));
  }
  return paths;
};

const isMountedBy = ({ volumeMounts = [] }: Container, volume: string): boolean =>
  volumeMounts.some(({ name }) => name === volume);
