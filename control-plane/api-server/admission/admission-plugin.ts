import type { AdmissionAttributes } from './attributes';

/** A rule beyond what an object by itself must satisfy. */
export interface AdmissionPlugin {
  /** Upstream's name for it. */
  readonly name: string;
  /** Has it anything to say? Cheap: everything is asked of every plugin. */
  handles(asked: AdmissionAttributes): boolean;
  /**
   * Before validation: may change `asked.object`, and says whether it did. What is refused here is
   * refused before the object is known to be valid.
   * @throws ApiError to refuse
   */
  admit?(asked: AdmissionAttributes, signal: AbortSignal): boolean | Promise<boolean>;
  /** After validation: looks at what is to be stored. @throws ApiError to refuse */
  validate?(asked: AdmissionAttributes, signal: AbortSignal): void | Promise<void>;
}
