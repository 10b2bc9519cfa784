import { ManifestError, type Descriptor } from './manifest';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** This host, in the words of the OCI image spec. */
export const hostPlatform = (): Platform => ({
  os: 'linux',
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
});

/** The image for `platform` out of an index's. @throws ManifestError naming what there is. */
export const choosePlatform = (
  manifests: readonly Descriptor[],
  platform: Platform = hostPlatform(),
): Descriptor => {
  const ranked = manifests
    .map((descriptor) => ({ descriptor, rank: rankOf(descriptor, platform) }))
    .filter(({ rank }) => rank >= 0)
    .sort((a, b) => b.rank - a.rank);
  const [best] = ranked;
  if (best !== undefined) return best.descriptor;
  const [only] = manifests;
  // An index that states no platform leaves no choice.
  if (only !== undefined && manifests.length === 1 && only.platform == null) return only;
  const there = manifests.map(describe).filter((text) => text !== 'unknown/unknown');
  throw new ManifestError(
    `no match for platform ${platform.os}/${platform.architecture} in manifest: not found (it has ${there.slice(0, 20).join(', ')})`,
  );
};

/** Higher is better, negative does not run here. */
const rankOf = ({ platform }: Descriptor, wanted: Platform): number => {
  if (platform?.os !== wanted.os || platform.architecture !== wanted.architecture) return -1;
  const variants = VARIANTS[wanted.architecture] ?? [''];
  return variants.indexOf(platform.variant ?? '');
};

const describe = ({ platform }: Descriptor): string =>
  [platform?.os ?? 'unknown', platform?.architecture ?? 'unknown', platform?.variant]
    .filter((part) => part !== undefined)
    .join('/');

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Variants that every host of the architecture runs, best last. amd64 v2 and up need newer CPUs. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  amd64: ['', 'v1'],
  arm64: ['', 'v8'],
  arm: ['v5', 'v6', '', 'v7'],
};
