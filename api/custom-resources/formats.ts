import { isIPv4, isIPv6 } from 'node:net';
import { dns1123LabelProblems, dns1123SubdomainProblems } from '../names';

/**
 * The formats of texts that are checked; all others are ignored, as upstream has it. Source: strfmt of
 * kube-openapi, apiextensions' list of supported formats.
 */
export const formatCheck = (format: string): ((text: string) => boolean) | undefined =>
  FORMATS.get(format.replaceAll('-', ''));

/** A format that has no effect on values of the type: whoever names it hears of it. */
export const isKnownFormat = (format: string, type: string): boolean => {
  switch (type) {
    case '':
    case 'string':
      return FORMATS.has(format.replaceAll('-', ''));
    case 'integer':
      return format === 'int32' || format === 'int64';
    case 'number':
      return format === 'float' || format === 'double';
    default:
      return false;
  }
};

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);

const UUID = '[0-9a-f]{8}-?[0-9a-f]{4}-?';

const isDate = (text: string): boolean => {
  const [year, month, day] = (/^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []).slice(1).map(Number);
  if (year === undefined || month === undefined || day === undefined) return false;
  const days = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
};

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

const TIME = /^(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))$/;

const isDateTime = (text: string): boolean => {
  const [whole, date = '', ...numbers] = TIME.exec(text) ?? [];
  const [hours = 0, minutes = 0, seconds = 0, offsetHours = 0, offsetMinutes = 0] = numbers.map(
    (each: string | undefined) => Number(each ?? 0),
  );
  return (
    whole !== undefined &&
    isDate(date) &&
    hours < 24 &&
    minutes < 60 &&
    seconds < 60 &&
    offsetHours < 24 &&
    offsetMinutes < 60
  );
};

/** Go's durations, and words as `3 days`. */
const isDuration = (text: string): boolean =>
  /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(text) ||
  /^\d+(?:\.\d+)?\s*(?:ns|nano(?:second)?s?|us|µs|micro(?:second)?s?|ms|milli(?:second)?s?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hr|hours?|d|days?|w|wk|weeks?)$/.test(
    text,
  );

const isUri = (text: string): boolean => {
  if (text.startsWith('/')) return !/[\s\u0000-\u001f\u007f]/.test(text);
  return /^[A-Za-z][A-Za-z0-9+.-]*:[^\s\u0000-\u001f\u007f]*$/.test(text) && hasGoodEscapes(text);
};

const hasGoodEscapes = (text: string): boolean => !/%(?![0-9A-Fa-f]{2})/.test(text);

const isCidr = (text: string): boolean => {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (bits.length > 1 && bits.startsWith('0')) return false;
  return (isIPv4(address) && Number(bits) <= 32) || (isIPv6(address) && Number(bits) <= 128);
};

const isHostname = (text: string): boolean =>
  text.length <= 255 &&
  text.length > 0 &&
  text
    .replace(/\.$/, '')
    .split('.')
    .every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));

const digitsOf = (text: string): string => text.replace(/[\s-]/g, '');

const isIsbn10 = (text: string): boolean => {
  const digits = digitsOf(text);
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = Array.from(digits).reduce(
    (total, each, i) => total + (i + 1) * (each === 'X' ? 10 : Number(each)),
    0,
  );
  return sum % 11 === 0;
};

const isIsbn13 = (text: string): boolean => {
  const digits = digitsOf(text);
  if (!/^\d{13}$/.test(digits)) return false;
  const sum = Array.from(digits).reduce(
    (total, each, i) => total + Number(each) * (i % 2 === 0 ? 1 : 3),
    0,
  );
  return sum % 10 === 0;
};

const isCreditCard = (text: string): boolean => {
  const digits = text.replace(/\D+/g, '');
  if (
    !/^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/.test(
      digits,
    )
  )
    return false;
  const sum = Array.from(digits)
    .reverse()
    .reduce((total, each, i) => {
      const doubled = i % 2 === 0 ? Number(each) : Number(each) * 2;
      return total + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
  return sum % 10 === 0;
};

const isRgb = (text: string): boolean => {
  const parts = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text)?.slice(1);
  return parts?.every((part) => Number(part) <= 255) ?? false;
};

const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['bsonobjectid', matches(/^[0-9a-fA-F]{24}$/)],
  ['uri', isUri],
  ['email', matches(/^[^\s@<>(),;:\\"[\]]+@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/)],
  ['hostname', isHostname],
  ['ipv4', isIPv4],
  ['ipv6', (text) => isIPv6(text) && !text.includes('%')],
  ['cidr', isCidr],
  [
    'mac',
    matches(
      /^(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4,18}[0-9A-Fa-f]{2}$|^(?:[0-9A-Fa-f]{4}\.){2,9}[0-9A-Fa-f]{4}$/,
    ),
  ],
  ['uuid', matches(new RegExp(`^${UUID}[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i'))],
  ['uuid3', matches(new RegExp(`^${UUID}3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i'))],
  ['uuid4', matches(new RegExp(`^${UUID}4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$`, 'i'))],
  ['uuid5', matches(new RegExp(`^${UUID}5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$`, 'i'))],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ['rgbcolor', isRgb],
  ['byte', matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)],
  ['password', () => true],
  ['date', isDate],
  ['duration', isDuration],
  ['datetime', isDateTime],
  ['k8sshortname', (text) => dns1123LabelProblems(text).length === 0],
  ['k8slongname', (text) => dns1123SubdomainProblems(text).length === 0],
]);
