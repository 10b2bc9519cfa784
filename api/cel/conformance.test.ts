import type { Type } from '@bufbuild/cel-spec/cel/expr/checked_pb.js';
import type { Value } from '@bufbuild/cel-spec/cel/expr/value_pb.js';
import {
  getCheckingSuite,
  getConformanceSuite,
  getParsingSuite,
} from '@bufbuild/cel-spec/testdata/tests.js';
import {
  CelBudget,
  CelCompileError,
  celEnvironment,
  CelRuntimeError,
  compileCel,
  type CelProgram,
} from '.';
import { celEquals } from './equality';
import { LIBRARY } from './library';
import { Meter } from './meter';
import * as types from './types';
import { ArrayList, CelTypeValue, CelUint, EntryMap, kindOf, type CelValue } from './values';

type Suite = ReturnType<typeof getConformanceSuite>;
type Case = Suite['tests'][number] & { readonly path: string };
type Original = Case['original'];

/** Messages of protobuf, and libraries that the API server does not load. */
const OUTSIDE =
  /^\/(bindings_ext|block_ext|dynamic|encoders_ext|enums|math_ext|proto|wrappers|namespace|macros2)|eq_wrapper|type_deductions\/(wrappers|legacy)|quoted/;
const OUTSIDE_SOURCE =
  /TestAllTypes|google\.protobuf|Msg|proto[23]|Message|`|set\(|cel\.|base64|encode\(|fg_s|fi_s|myfun|\w\{|\bi[sibduxz]\b/;

/**
 * What cel-go sees in literals before it evaluates is told when it is evaluated; one join of types; and
 * the name of a type that nothing tells.
 */
const KNOWN =
  /^\/string_ext\/format_errors|^\/type_deductions.*\/optional_dyn_promotion|^\/checking\/\[\]\.length/;

const testsOf = (suite: Suite, path: string): Case[] => [
  ...suite.tests.map((test) => ({ ...test, path: `${path}/${test.name}` })),
  ...suite.suites.flatMap((inner) => testsOf(inner, `${path}/${inner.name}`)),
];

const isOutside = ({ path, original, error = '' }: Case): boolean => {
  if (OUTSIDE.test(path) || OUTSIDE_SOURCE.test(original.expr)) return true;
  if (declaredTypes(original).some(([, type]) => type === undefined)) return true;
  const unknown = [...error.matchAll(/undeclared reference to '(\w+)'/g)].map(([, name]) => name!);
  // cel-go was asked without the libraries, with less depth, and without optional values.
  return (
    unknown.some((name) => LIBRARY.has(name) || /^(existsOne|transform\w+)$/.test(name)) ||
    /recursion|unsupported syntax/.test(error) ||
    (/[<>]=? /.test(original.expr) && /\((int|uint|double), (int|uint|double)\)/.test(error))
  );
};

const declaredTypes = ({ typeEnv }: Original): [string, types.CelType | undefined][] =>
  typeEnv.map(({ name, declKind }) => [
    name,
    declKind.case === 'ident' && declKind.value.type ? typeOf(declKind.value.type) : undefined,
  ]);

const differenceOf = ({ original, type, error }: Case): string | undefined => {
  const variables = Object.fromEntries(declaredTypes(original)) as Record<string, types.CelType>;
  try {
    const program = compileCel(original.expr, celEnvironment(variables));
    if (error !== undefined) return `accepted; cel-go: ${error}`;
    const found = types.formatType(program.resultType);
    if (type !== undefined && type !== found) return `type ${found}; cel-go: ${type}`;
    return original.checkOnly ? undefined : differentValue(program, original);
  } catch (thrown) {
    if (!(thrown instanceof CelCompileError)) throw thrown;
    const { message } = thrown;
    if (error !== undefined)
      return isSameError(message, error) ? undefined : `${message}\ncel-go: ${error}`;
    // Literals of durations and the like are looked at before the evaluation that would fail.
    return isMixed(message) || original.resultMatcher.case === 'evalError' ? undefined : message;
  }
};

const differentValue = (program: CelProgram, original: Original): string | undefined => {
  const { bindings, resultMatcher } = original;
  if (resultMatcher.case === undefined) return undefined;
  const isError = resultMatcher.case === 'evalError';
  const variables = Object.fromEntries(
    Object.entries(bindings).map(([name, { kind }]) => [
      name,
      kind.case === 'value' ? valueOf(kind.value) : undefined,
    ]),
  );
  try {
    const value = program.evaluate(variables, new CelBudget());
    if (isError) return `${show(value)}; cel-go: an error`;
    const wanted = wantedOf(resultMatcher);
    return wanted === undefined || isSame(value, wanted)
      ? undefined
      : `${show(value)}; cel-go: ${show(wanted)}`;
  } catch (error) {
    if (!(error instanceof CelRuntimeError)) throw error;
    return isError ? undefined : error.message;
  }
};

const wantedOf = ({ case: kind, value }: Original['resultMatcher']): CelValue | undefined => {
  if (kind === 'value') return valueOf(value);
  return kind === 'typedResult' && value.result ? valueOf(value.result) : undefined;
};

const isSame = (a: CelValue, b: CelValue): boolean =>
  Object.is(a, b) || (kindOf(a) === kindOf(b) && celEquals(new Meter(1e6, 1e6), a, b));

const show = (value: CelValue): string =>
  typeof value === 'object' ? kindOf(value) : `${kindOf(value)} ${String(value)}`;

/** The API server refuses literals of mixed types. */
const isMixed = (message: string): boolean => message.includes("expected type '");

/** Of a text that is no expression the first fault alone is told, and not always in ANTLR's words. */
const isSameError = (message: string, wanted: string): boolean => {
  const got = message.replace('compilation failed: ', '').trimEnd();
  const want = wanted.replace(/ERROR: [^:\n]*:/g, 'ERROR: <input>:').trimEnd();
  const isChecked = /undeclared|no matching|expected type|comprehension/.test(want.split('\n')[0]!);
  return !isChecked || got === want || isMixed(got);
};

const typeOf = ({ typeKind }: Type): types.CelType | undefined => {
  switch (typeKind.case) {
    case 'primitive':
      return [
        ...[types.DYN, types.BOOL, types.INT, types.UINT, types.DOUBLE, types.STRING, types.BYTES],
      ][typeKind.value];
    case 'dyn':
      return types.DYN;
    case 'null':
      return types.NULL;
    case 'listType': {
      const of = typeKind.value.elemType && typeOf(typeKind.value.elemType);
      return of && types.listOf(of);
    }
    case 'mapType': {
      const { keyType, valueType } = typeKind.value;
      const [key, of] = [keyType && typeOf(keyType), valueType && typeOf(valueType)];
      return key && of && types.mapOf(key, of);
    }
    default:
      return undefined;
  }
};

const valueOf = ({ kind }: Value): CelValue | undefined => {
  switch (kind.case) {
    case 'nullValue':
      return null;
    case 'uint64Value':
      return new CelUint(kind.value);
    case 'typeValue':
      return new CelTypeValue(kind.value);
    case 'listValue':
      return new ArrayList(kind.value.values.map((item) => valueOf(item)!));
    case 'mapValue': {
      const map = new EntryMap();
      for (const { key, value } of kind.value.entries) map.add(valueOf(key!)!, valueOf(value!)!);
      return map;
    }
    case 'boolValue':
    case 'int64Value':
    case 'doubleValue':
    case 'stringValue':
    case 'bytesValue':
      return kind.value;
    default:
      // Timestamps and durations come as messages: time.test.ts looks at them.
      return undefined;
  }
};

/**
 * The tests of the language's specification, with what cel-go says of each: the type it finds, or its
 * error to the letter. What the API server does not have is refused by this engine, too.
 */
describe('the conformance suite of CEL', () => {
  const cases = [
    ...testsOf(getConformanceSuite(), ''),
    ...testsOf(getParsingSuite(), '/parsing'),
    ...testsOf(getCheckingSuite(), '/checking'),
  ].filter((test) => !isOutside(test));

  it('is not small', () => {
    expect(cases.length).toBeGreaterThan(1200);
  });

  it('finds the types, the errors and the values that cel-go finds', () => {
    const different = cases
      .filter(({ path }) => !KNOWN.test(path))
      .map((test) => [test.path, test.original.expr, differenceOf(test)])
      .filter(([, , difference]) => difference !== undefined);
    expect(different).toEqual([]);
  });
});
