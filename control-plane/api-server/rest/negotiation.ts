import { ApiError } from '../../../api/errors';
import { acceptClauses, takes, type AcceptClause } from '../http/accept';
import { JSON_TYPE } from '../http/exchange';

/** The shape in which a client wants objects. */
export type Representation = 'object' | 'table' | 'metadata';

/** The best form in `Accept` that this server can give. @throws NotAcceptable */
export const representationOf = (accept: string | undefined): Representation => {
  for (const clause of acceptClauses(accept)) {
    const form = formOf(clause);
    if (form !== undefined) return form;
  }
  throw notAcceptable();
};

/** In upstream's words. */
export const notAcceptable = (): ApiError =>
  new ApiError('NotAcceptable', 'only the following media types are accepted: application/json');

const formOf = (clause: AcceptClause): Representation | undefined => {
  if (!takes(clause, JSON_TYPE)) return undefined;
  const as = clause.parameters.get('as');
  if (as === undefined) return 'object';
  const group = clause.parameters.get('g') ?? META_GROUP;
  if (group !== META_GROUP || clause.parameters.get('v') !== 'v1') return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList'
    ? 'metadata'
    : undefined;
};

const META_GROUP = 'meta.k8s.io';
