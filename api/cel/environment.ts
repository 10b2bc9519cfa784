import type { Library } from './library/function';
import type { CelType, ObjectType } from './types';

/** The variables that an expression may use, by name; a name may have dots in it. */
export interface CelEnvironment {
  readonly variables: ReadonlyMap<string, CelType>;
  /** The type of messages that an expression may make, by name. None when absent. */
  readonly messageType?: (name: string) => ObjectType | undefined;
  /** What can be called besides what can be everywhere. */
  readonly functions?: Library;
}

export const celEnvironment = (
  variables: Readonly<Record<string, CelType>>,
  more: Omit<CelEnvironment, 'variables'> = {},
): CelEnvironment => ({ variables: new Map(Object.entries(variables)), ...more });
