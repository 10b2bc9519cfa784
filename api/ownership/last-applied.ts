import { LAST_APPLIED } from '../annotations';
import { ApplyConflictError, type Conflict } from './apply-conflict';
import { difference, isEmptySet } from './field-set';
import { fieldsOf, ListItemsError } from './fields-of';
import type { Structure } from './structure';
import { member, type Json } from '../patch/json';
import { parseJson, stringifyJson, isJsonObject } from '../../lib/json';

/**
 * The conflicts that remain when what kubectl applied from its side earlier counts as its own: so
 * that one may go over to applying on the server's side.
 */
export const conflictsBeyondLastApplied = (
  structure: Structure,
  live: Json,
  { conflicts }: ApplyConflictError,
): readonly Conflict[] => {
  const last = lastAppliedOf(live);
  if (last === undefined) return conflicts;
  const own = ownFields(structure, last);
  if (own === undefined) return conflicts;
  return conflicts
    .map(({ manager, fields }) => ({ manager, fields: difference(fields, own) }))
    .filter(({ fields }) => !isEmptySet(fields));
};

/** The object with the annotation made anew from a configuration, if it has the annotation. */
export const withLastApplied = (object: Json, config: Json): Json => {
  const metadata = member(object, 'metadata');
  if (textOf(object) === undefined || !isJsonObject(metadata)) return object;
  const { [LAST_APPLIED]: _old, ...others } = metadata['annotations'] as Json;
  const text = `${stringifyJson(withoutLastApplied(config))}\n`;
  const annotations =
    text.length > ANNOTATIONS_MAX_BYTES ? others : { ...others, [LAST_APPLIED]: text };
  return { ...object, metadata: { ...metadata, annotations } };
};

const withoutLastApplied = (config: Json): Json => {
  const metadata = member(config, 'metadata');
  if (!isJsonObject(metadata)) return config;
  const annotations = member(metadata, 'annotations');
  const { [LAST_APPLIED]: _own, ...rest } = isJsonObject(annotations) ? annotations : {};
  return { ...config, metadata: { ...metadata, annotations: rest } };
};

const ownFields = (structure: Structure, last: Json) => {
  try {
    return fieldsOf(structure, last);
  } catch (error) {
    if (error instanceof ListItemsError) return undefined;
    throw error;
  }
};

const lastAppliedOf = (live: Json): Json | undefined => {
  const text = textOf(live);
  if (text === undefined) return undefined;
  try {
    const value: unknown = parseJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    // Anyone may write annotations.
    return undefined;
  }
};

const textOf = (object: Json): string | undefined => {
  const metadata = member(object, 'metadata');
  const annotations = isJsonObject(metadata) ? member(metadata, 'annotations') : undefined;
  const text = isJsonObject(annotations) ? member(annotations, LAST_APPLIED) : undefined;
  return typeof text === 'string' ? text : undefined;
};

const ANNOTATIONS_MAX_BYTES = 256 * 1024;
