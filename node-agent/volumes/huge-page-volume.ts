import { pageBytesOf, pageBytesOfMedium } from '../../api/huge-pages';
import { podLevelList } from '../../api/pod-level-resources';
import { effectiveLimits } from '../../api/pods';
import { bytesOf } from '../../api/quantity';
import type { Pod } from '../../api/types';
import { hugePageBytesOf } from '../pod-spec/cgroup-resources';

export interface HugePageVolume {
  readonly pageBytes: number;
  /** What fits into it. */
  readonly sizeBytes: number;
}

/**
 * Pure: what a volume of huge pages is made of: those that the pod asks for, and no more of them than it
 * may have. Source: upstream's getPageSizeMountOption of pkg/volume/emptydir/empty_dir.go, which bounds
 * the size not at all. @throws Error where the pod asks for no such pages
 */
export const hugePageVolume = (
  pod: Pod,
  { medium, sizeLimit }: { readonly medium: string; readonly sizeLimit?: string },
): HugePageVolume => {
  const asked = pageSizesOf(pod);
  const wanted = pageBytesOfMedium(medium);
  if (wanted === undefined && asked.size > 1)
    throw new Error(
      `medium: ${medium} can't be used if container requests multiple huge page sizes`,
    );
  const [pageBytes] = [...asked].filter((each) => wanted === undefined || each === wanted);
  if (pageBytes === undefined)
    throw new Error(
      `medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`,
    );
  const limits = hugePageBytesOf(effectiveLimits(pod.spec));
  const bounds = [limits[pageBytes] ?? 0, ...(sizeLimit === undefined ? [] : [bytesOf(sizeLimit)])];
  return { pageBytes, sizeBytes: Math.min(...bounds) };
};

/** In bytes. */
const pageSizesOf = ({ spec }: Pod): ReadonlySet<number> =>
  new Set(
    [
      podLevelList(spec, 'requests'),
      ...[...spec.containers, ...(spec.initContainers ?? [])].map(
        ({ resources }) => resources?.requests ?? {},
      ),
    ]
      .flatMap((list) => Object.keys(list))
      .flatMap((name) => pageBytesOf(name) ?? []),
  );
