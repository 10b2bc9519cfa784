import type { z } from 'zod';

/** `profiles[0].plugins.score` */
export const fieldAt = (...path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, segment) =>
      typeof segment === 'number'
        ? `${text}[${segment}]`
        : text === ''
          ? String(segment)
          : `${text}.${String(segment)}`,
    '',
  );

/** What is wrong with a value, each with the field's path. */
export const problemsOf = (error: z.ZodError, base: readonly PropertyKey[]): readonly string[] =>
  error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => `unknown field "${fieldAt(...path, key)}"`);
    return [`${fieldAt(...path)}: ${issue.message}`];
  });
