/** A template that makes no sense, or none for its data: the words are Go's. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}
