import {
  floatOf,
  goExponent,
  entriesOf,
  kindOf,
  plainText,
  quoted,
  sliceOf,
  typeName,
  type Value,
} from './values';

/** Like Go's Sprintf, with its words for what does not fit. Widths beyond `WIDTH_MAX` count as that. */
export const printf = (format: string, args: readonly Value[]): string => {
  let next = 0;
  // Arguments that are named by their place may be left out.
  const isReordered = /%[^%]*\[\d/.test(format);
  const take = (): { readonly value: Value } | undefined =>
    next < args.length ? { value: args[next++] } : undefined;
  const text = format.replace(
    DIRECTIVE,
    (
      _,
      flags: string,
      width: string,
      precision: string | undefined,
      place: string | undefined,
      verb: string,
    ) => {
      const options = {
        flags,
        width: numberFrom(width, take),
        precision: precision === undefined ? undefined : (numberFrom(precision, take) ?? 0),
      };
      if (verb === '') return '%!(NOVERB)';
      if (verb === '%') return '%';
      if (place !== undefined) {
        next = Number(place) - 1;
        if (next < 0 || next >= args.length) return `%!${verb}(BADINDEX)`;
      }
      const taken = take();
      return taken === undefined ? `%!${verb}(MISSING)` : write(taken.value, verb, options);
    },
  );
  if (isReordered || next >= args.length) return text;
  const extra = args.slice(next).map((value) => withType(value));
  return `${text}%!(EXTRA ${extra.join(', ')})`;
};

interface Options {
  readonly flags: string;
  readonly width: number | undefined;
  readonly precision: number | undefined;
}

const numberFrom = (
  text: string,
  take: () => { readonly value: Value } | undefined,
): number | undefined => {
  const number = text === '*' ? Number(take()?.value) : Number(text);
  return text === '' || !Number.isSafeInteger(number)
    ? undefined
    : Math.max(-WIDTH_MAX, Math.min(number, WIDTH_MAX));
};

const write = (value: Value, verb: string, options: Options): string => {
  const kind = kindOf(value);
  if (verb === 'T') return padded(typeName(value), options);
  if (verb === 'v' && kind !== 'slice' && kind !== 'map')
    return kind === 'float' && options.precision !== undefined
      ? number(value, 'g', options)
      : padded(plainText(value), options);
  switch (kind) {
    case 'slice':
      return `[${sliceOf(value)
        .map((item) => write(item, verb, options))
        .join(' ')}]`;
    case 'map':
      return `map[${entriesOf(value)
        .map(([key, item]) => `${write(key, verb, options)}:${write(item, verb, options)}`)
        .join(' ')}]`;
    case 'bool':
      return verb === 't' ? padded(String(value), options) : wrong(value, verb);
    case 'string':
      return text(value as string, verb, options);
    case 'int':
    case 'float':
      return number(value, verb, options);
    case 'nil':
      return `%!${verb}(<nil>)`;
  }
};

const text = (value: string, verb: string, options: Options): string => {
  const { precision, flags } = options;
  const kept =
    precision === undefined ? value : Array.from(value).slice(0, Math.abs(precision)).join('');
  switch (verb) {
    case 's':
      return padded(kept, options);
    case 'q':
      return padded(
        flags.includes('#') && !/[`\n]/.test(kept) ? `\`${kept}\`` : quoted(kept),
        options,
      );
    case 'x':
      return padded(Buffer.from(kept).toString('hex'), options);
    case 'X':
      return padded(Buffer.from(kept).toString('hex').toUpperCase(), options);
    default:
      return wrong(value, verb);
  }
};

const number = (value: Value, verb: string, options: Options): string => {
  const made =
    kindOf(value) === 'int' ? integerText(value, verb, options) : floating(value, verb, options);
  if (made === undefined) return wrong(value, verb);
  return padded(signed(made, options), options);
};

const integerText = (value: Value, verb: string, { flags }: Options): string | undefined => {
  const whole = BigInt(value as number | bigint);
  const size = whole < 0n ? -whole : whole;
  const sign = whole < 0n ? '-' : '';
  const base = Object.hasOwn(BASES, verb) ? BASES[verb] : undefined;
  if (base !== undefined) {
    const prefix = flags.includes('#') || verb === 'O' ? base.prefix : '';
    const digits = size.toString(base.radix);
    return `${sign}${prefix}${verb === 'X' ? digits.toUpperCase() : digits}`;
  }
  if (verb !== 'c' && verb !== 'q' && verb !== 'U') return undefined;
  if (verb === 'U') return `U+${size.toString(16).toUpperCase().padStart(4, '0')}`;
  const point = whole >= 0n && whole <= 0x10ffffn ? Number(whole) : 0xfffd;
  const character = String.fromCodePoint(point);
  return verb === 'c' ? character : `'${quoted(character).slice(1, -1)}'`;
};

const BASES: Readonly<Record<string, { readonly radix: number; readonly prefix: string }>> = {
  d: { radix: 10, prefix: '' },
  b: { radix: 2, prefix: '0b' },
  o: { radix: 8, prefix: '0' },
  O: { radix: 8, prefix: '0o' },
  x: { radix: 16, prefix: '0x' },
  X: { radix: 16, prefix: '0X' },
};

const floating = (value: Value, verb: string, { precision }: Options): string | undefined => {
  const float = floatOf(value);
  const digits = Math.min(Math.abs(precision ?? 6), 100);
  switch (verb) {
    case 'f':
    case 'F':
      return float.toFixed(digits);
    case 'e':
      return goExponent(float.toExponential(digits));
    case 'E':
      return goExponent(float.toExponential(digits)).toUpperCase();
    case 'g':
    case 'G': {
      const plain = precision === undefined ? plainText(value) : significant(float, digits);
      return verb === 'g' ? plain : plain.toUpperCase();
    }
    default:
      return undefined;
  }
};

/** So many digits, without the zeros at their end. */
const significant = (value: number, digits: number): string => {
  const rounded = value.toExponential(Math.max(1, digits) - 1);
  const exponent = Number(/e(.*)$/.exec(rounded)?.[1]);
  const short = rounded.replace(/\.?0*e/, (zeros) => (rounded.includes('.') ? 'e' : zeros));
  return exponent < -4 || exponent >= Math.max(1, digits)
    ? goExponent(short)
    : String(Number(rounded));
};

const signed = (made: string, { flags }: Options): string => {
  if (made.startsWith('-') || made.startsWith('U')) return made;
  if (flags.includes('+')) return `+${made}`;
  return flags.includes(' ') ? ` ${made}` : made;
};

const padded = (made: string, { flags, width }: Options): string => {
  const missing = Math.abs(width ?? 0) - Array.from(made).length;
  if (width === undefined || missing <= 0) return made;
  if (flags.includes('-') || width < 0) return made + ' '.repeat(missing);
  if (!flags.includes('0')) return ' '.repeat(missing) + made;
  const [sign = ''] = /^[+-]?(?=\d)/.exec(made) ?? [];
  return sign + '0'.repeat(missing) + made.slice(sign.length);
};

const wrong = (value: Value, verb: string): string => `%!${verb}(${withType(value)})`;

const withType = (value: Value): string =>
  kindOf(value) === 'nil' ? '<nil>' : `${typeName(value)}=${plainText(value)}`;

const DIRECTIVE = /%([-+# 0]*)(\*|-?\d*)(?:\.(\*|\d*))?(?:\[(\d{1,4})\])?(.|\n|$)/gu;
const WIDTH_MAX = 10_000;
