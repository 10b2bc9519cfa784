/** What was given is no bundle. `message` names the field. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
}

/** `status.steps[3].pod` */
export const fieldOf = (path: readonly PropertyKey[]): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .slice(1);
