import type { ApiObject } from '../api/types';
import type { Informer } from './informer';
import { KeyedIndex } from './keyed-index';

/** Finds the objects of a namespace without walking all of them. */
export class NamespaceIndex<T extends ApiObject> extends KeyedIndex<T> {
  constructor(informer: Informer<T>) {
    super(informer, ({ metadata: { namespace = '' } }) => namespace);
  }
}
