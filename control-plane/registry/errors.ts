/** A failure in the distribution protocol's own form. Source: OCI distribution-spec, "Error Codes". */
export class RegistryError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  toJson(): string {
    return JSON.stringify({ errors: [{ code: this.code, message: this.message }] });
  }
}

export const unknownBlob = (digest: string): RegistryError =>
  new RegistryError(404, 'BLOB_UNKNOWN', `blob ${digest} is not here`);

export const unknownManifest = (name: string, reference: string): RegistryError =>
  new RegistryError(404, 'MANIFEST_UNKNOWN', `manifest ${name}:${reference} is not here`);

export const unknownUpload = (): RegistryError =>
  new RegistryError(404, 'BLOB_UPLOAD_UNKNOWN', 'this upload is not under way; start again');

export const badDigest = (stated: string, found: string): RegistryError =>
  new RegistryError(400, 'DIGEST_INVALID', `the content has digest ${found}, not ${stated}`);
