import fc from 'fast-check';

/** What nobody expects at a place of a JSON document. */
export const odd = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, '', 0, -1, 1e308, 2 ** 53, 9223372036854775807n, -9223372036854775808n, 1.5, true],
    ...[[], {}, [[]], [null], '__proto__', '\u0000', '\ud800', 'x'.repeat(3000), '1Ei', '999999E'],
    ...[{ $patch: 'delete' }, { $patch: 'x' }, { $retainKeys: [1] }, [{ $patch: 'replace' }]],
  ),
  fc.jsonValue({ maxDepth: 3 }),
);
type Members = Record<string, unknown>;

/** A copy with one place, along steps that fit or are made up, replaced. */
const replaced = (
  value: unknown,
  [choice = 0, ...rest]: readonly number[],
  by: unknown,
): unknown => {
  if (choice === 0 || typeof value !== 'object' || value === null) return by;
  if (Array.isArray(value)) {
    const at = choice % (value.length + 1);
    return Object.assign([...(value as unknown[])], { [at]: replaced(value[at], rest, by) });
  }
  const names = Object.keys(value);
  const name = names[choice % names.length] ?? 'x';
  return { ...value, [name]: replaced((value as Members)[name], rest, by) };
};

/** A JSON value with up to three places changed. */
export const mutated = (seed: unknown) =>
  fc
    .array(fc.tuple(fc.array(fc.nat(9), { minLength: 1, maxLength: 7 }), odd), { maxLength: 3 })
    .map((changes) =>
      changes.reduce<unknown>((each, [path, by]) => replaced(each, path, by), seed),
    );

/** Up to eight bytes changed. */
export const mutatedBytes = (clean: Buffer) =>
  fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }).map((flips) => {
    const bytes = Buffer.from(clean);
    for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  });
