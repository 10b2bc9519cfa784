import { parseJson } from '../../../lib/json';
import { brokenLimitOf } from '../http/json-size';
import { countOf } from '../objects/object-size';

/**
 * The paths of keys that the JSON body held twice which `value` was parsed from. Each costs the value a
 * member: where the text holds no more values than came of it, nobody need look for them.
 */
export const duplicateFieldsIn = (body: Buffer, value: unknown): readonly string[] => {
  const limits = { ...NO_LIMITS, valueCountMax: countOf(value) };
  return brokenLimitOf(body, limits) === undefined ? [] : duplicateFields(body.toString('utf8'));
};

/** Where a walk through JSON text stands: in an object with its keys, or in an array. */
interface Frame {
  readonly path: string;
  /** Undefined in an array. */
  readonly keys: Set<string> | undefined;
  key: string;
  index: number;
  expectsKey: boolean;
}

/**
 * The paths of keys that valid JSON text holds twice in one object (`spec.containers[0].image`);
 * `JSON.parse` keeps the last one silently. At most `MAX_REPORTED`.
 */
export const duplicateFields = (text: string): readonly string[] => {
  const found: string[] = [];
  const frames: Frame[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const frame = frames.at(-1);
    if (token === '{' || token === '[') frames.push(open(token, frame));
    else if (token === '}' || token === ']') frames.pop();
    else if (frame !== undefined) step(frame, token, found);
    if (found.length >= MAX_REPORTED) break;
  }
  return found;
};

const open = (token: '{' | '[', parent: Frame | undefined): Frame => ({
  path: parent === undefined ? '' : pathIn(parent),
  keys: token === '{' ? new Set() : undefined,
  key: '',
  index: 0,
  expectsKey: token === '{',
});

const step = (frame: Frame, token: string, found: string[]): void => {
  if (token === ',') {
    frame.index++;
    frame.expectsKey = frame.keys !== undefined;
  } else if (frame.expectsKey && frame.keys !== undefined) {
    frame.expectsKey = false;
    frame.key = token.includes('\\') ? (parseJson(token) as string) : token.slice(1, -1);
    if (frame.keys.has(frame.key)) found.push(pathIn(frame));
    frame.keys.add(frame.key);
  }
};

const pathIn = ({ path, keys, key, index }: Frame): string => {
  if (keys === undefined) return `${path}[${index}]`;
  return path === '' ? key : `${path}.${key}`;
};

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;
const MAX_REPORTED = 100;
const NO_LIMITS = { depthMax: Infinity, keyBytesMax: Infinity };
