export {
  compileCel,
  compileWithCost,
  type CelInput,
  type CelProgram,
  type Wanted,
} from './compile';
export { mostOf, sizesOf, type BoundedSchema } from './cost/sizes';
export { celEnvironment, type CelEnvironment } from './environment';
export { CelBudgetError, CelCompileError, CelRuntimeError } from './errors';
export { escapeFieldName } from './escape';
export { CelBudget, MATCH_CONDITIONS_BUDGET, OBJECT_BUDGET, PER_CALL_LIMIT } from './meter';
export { schemaType, type SchemaShape } from './schema-type';
export {
  BOOL,
  DYN,
  formatType,
  INT,
  listOf,
  mapOf,
  objectType,
  optionalOf,
  STRING,
  TIMESTAMP,
  type CelType,
} from './types';
export {
  AUTHORIZER,
  AuthorizerValue,
  RESOURCE_CHECK,
  ResourceCheck,
  type AccessQuestion,
  type JudgeAccess,
} from './library/authorizer';
export { CelList, CelMap, CelObject, type CelValue } from './values';
export {
  admissionEnvironment,
  APPLY_OBJECT,
  JSON_PATCH_OPERATION,
  variablesType,
  type AdmissionVariables,
} from './admission';
export { MadeObject } from './messages';
export { toJson } from './to-json';
export { LazyObject } from './lazy-object';
