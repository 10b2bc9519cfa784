/** A volume could not be set up; the event and the pod's wait say why. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  /** Of the event. */
  readonly reason: 'FailedMount' | 'FailedMapVolume';

  constructor(
    readonly volumeName: string,
    cause: unknown,
    isBlock = false,
  ) {
    // In the message rather than as cause: it would be printed twice.
    const why = cause instanceof Error ? cause.message : String(cause);
    const step = isBlock ? 'MapVolume.SetUpDevice' : 'MountVolume.SetUp';
    super(`${step} failed for volume "${volumeName}" : ${why}`);
    this.reason = isBlock ? 'FailedMapVolume' : 'FailedMount';
  }
}
