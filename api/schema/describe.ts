import type { Schema } from './schema';

/* Schemas of kinds that no Go type describes here, written by hand. */

export const text = (description: string): Schema => ({ type: 'string', description });
export const count = (description: string): Schema => ({
  type: 'integer',
  format: 'int32',
  description,
});
export const number = (description: string): Schema => ({
  type: 'number',
  format: 'double',
  description,
});
export const flag = (description: string): Schema => ({ type: 'boolean', description });
export const list = (description: string, items: Schema): Schema => ({
  type: 'array',
  description,
  items,
  'x-kubernetes-list-type': 'atomic',
});
export const map = (description: string, additionalProperties: Schema): Schema => ({
  type: 'object',
  description,
  additionalProperties,
});
export const object = (description: string, properties: Record<string, Schema>): Schema => ({
  type: 'object',
  description,
  properties,
});
