import type { Resource } from '../api/resources';

/** The kinds whose objects are kept, as they come and go while the server runs. */
export interface ServedResources {
  /**
   * All that can be listed, watched and written now, each in the version that clients prefer. One that
   * goes and comes again is another.
   */
  resources(): readonly Resource[];
  /** Calls after each change, until the function that it returns is called. */
  onChange(listener: () => void): () => void;
}
