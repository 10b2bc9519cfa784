/** A volume could not be set up; the FailedMount event and the pod's wait say why. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';

  constructor(
    readonly volumeName: string,
    cause: unknown,
  ) {
    // In the message rather than as cause: it would be printed twice.
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`MountVolume.SetUp failed for volume "${volumeName}" : ${why}`);
  }
}
