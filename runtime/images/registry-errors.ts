/** The registry answered, and the answer is no. */
export class RegistryStatusError extends Error {
  override readonly name = 'RegistryStatusError';

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  get isMissing(): boolean {
    return this.status === 404;
  }

  /** Somebody else may get another answer; registries also hide what one may not see behind 404. */
  get dependsOnUser(): boolean {
    return this.status === 401 || this.status === 403 || this.isMissing;
  }
}
