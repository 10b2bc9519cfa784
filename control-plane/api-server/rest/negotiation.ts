import { ApiError } from '../../../api/errors';

/** The shape in which a client wants objects. */
export type Representation = 'object' | 'table' | 'metadata';

/**
 * The first form in `Accept` that this server can give. Quality values are not weighed: clients of
 * this API list their forms in order. @throws NotAcceptable
 */
export const representationOf = (accept: string | undefined): Representation => {
  if (accept === undefined || accept === '') return 'object';
  for (const clause of accept.split(',')) {
    const form = formOf(clause);
    if (form !== undefined) return form;
  }
  throw new ApiError(
    'NotAcceptable',
    'only the following media types are accepted: application/json',
  );
};

const formOf = (clause: string): Representation | undefined => {
  const [type = '', ...parameters] = clause.split(';').map((part) => part.trim());
  if (!JSON_TYPES.has(type)) return undefined;
  const {
    as,
    g = META_GROUP,
    v,
  } = Object.fromEntries(
    parameters.map((parameter) => parameter.split('=', 2) as [string, string]),
  );
  if (as === undefined) return 'object';
  if (g !== META_GROUP || v !== 'v1') return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList'
    ? 'metadata'
    : undefined;
};

const META_GROUP = 'meta.k8s.io';
const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);
