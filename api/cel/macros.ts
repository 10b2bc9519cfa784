import type { Issue } from './source';
import type { Call, Expr, FoldKind } from './syntax';

type MacroCall = Call & { readonly at: number };
type Refuse = (issue: Issue) => Error;

/** What a call stands for, when its name and number of arguments are a macro's. */
export const expandMacro = (call: MacroCall, refuse: Refuse): Expr => {
  const { target, args } = call;
  if (target === undefined) return call.name === 'has' ? has(call, refuse) : call;
  switch (call.name) {
    case 'all':
    case 'exists':
    case 'exists_one':
      return quantifier(call, target, call.name, refuse);
    case 'existsOne':
      return quantifier(call, target, 'exists_one', refuse);
    case 'map':
    case 'filter':
      return simpleFold(call, target, refuse);
    case 'transformList':
    case 'transformMap':
    case 'transformMapEntry':
      return args.length === 3 || args.length === 4
        ? transform(call, target, call.name, refuse)
        : call;
    case 'optMap':
    case 'optFlatMap':
      return args.length === 2 ? optionalMap(call, target, refuse) : call;
    default:
      return call;
  }
};

const has = (call: MacroCall, refuse: Refuse): Expr => {
  const [arg] = call.args;
  if (arg === undefined || call.args.length > 1) return call;
  if (arg.kind !== 'select' || arg.mode === 'has')
    throw refuse({ at: arg.at, message: 'invalid argument to has() macro' });
  return { ...arg, mode: 'has', at: call.at };
};

const quantifier = (call: MacroCall, range: Expr, fold: FoldKind, refuse: Refuse): Expr => {
  const { args, at } = call;
  const predicate = args.at(-1);
  if (predicate === undefined || (args.length !== 2 && args.length !== 3)) return call;
  const variables = variablesOf(args.slice(0, -1), refuse);
  return { kind: 'fold', fold, range, variables, predicate, at };
};

const simpleFold = (call: MacroCall, range: Expr, refuse: Refuse): Expr => {
  const { args, at } = call;
  const [first, second, third] = args;
  if (first === undefined || second === undefined || args.length > 3) return call;
  const variables = variablesOf([first], refuse, 'argument is not an identifier');
  if (call.name === 'filter')
    return third === undefined
      ? { kind: 'fold', fold: 'filter', range, variables, predicate: second, at }
      : call;
  const fold = { kind: 'fold', fold: 'map', range, variables, at } as const;
  return third === undefined
    ? { ...fold, transform: second }
    : { ...fold, predicate: second, transform: third };
};

const transform = (call: MacroCall, range: Expr, fold: FoldKind, refuse: Refuse): Expr => {
  const { args, at } = call;
  const variables = variablesOf(args.slice(0, 2), refuse);
  const body = args.at(-1) as Expr;
  const predicate = args.length === 4 ? args[2] : undefined;
  return {
    ...{ kind: 'fold', fold, range, variables, transform: body, at },
    ...(predicate === undefined ? {} : { predicate }),
  };
};

const optionalMap = (call: MacroCall, target: Expr, refuse: Refuse): Expr => {
  const [name, body] = call.args as [Expr, Expr];
  const [variable] = variablesOf([name], refuse);
  const isFlat = call.name === 'optFlatMap';
  return { kind: 'optMap', target, variable, body, isFlat, at: call.at };
};

const variablesOf = (
  args: readonly Expr[],
  refuse: Refuse,
  problem = 'argument must be a simple name',
): [string] | [string, string] => {
  const names = args.map((arg) => {
    if (arg.kind !== 'ident') throw refuse({ at: arg.at, message: problem });
    if (arg.name !== ACCUMULATOR) return arg.name;
    throw refuse({ at: arg.at, message: 'iteration variable overwrites accumulator variable' });
  });
  if (names.length === 2 && names[0] === names[1])
    throw refuse({ at: args[1]?.at ?? 0, message: `duplicate variable name: ${names[0]}` });
  return names as [string] | [string, string];
};

/** What upstream calls the result while a macro runs. */
const ACCUMULATOR = '__result__';
