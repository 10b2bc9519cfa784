import type { CelType } from './types';

/** The variables that an expression may use, by name; a name may have dots in it. */
export interface CelEnvironment {
  readonly variables: ReadonlyMap<string, CelType>;
}

export const celEnvironment = (variables: Readonly<Record<string, CelType>>): CelEnvironment => ({
  variables: new Map(Object.entries(variables)),
});
