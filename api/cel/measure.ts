import type { Expr } from './syntax';

/** How deep an expression is, and of how many parts. Does not recurse: nothing is known of it yet. */
export const measure = (root: Expr): { depth: number; size: number } => {
  let depth = 0;
  let size = 0;
  const waiting: [Expr, number][] = [[root, 1]];
  for (let top = waiting.pop(); top !== undefined; top = waiting.pop()) {
    const [expr, level] = top;
    size++;
    depth = Math.max(depth, level);
    for (const child of childrenOf(expr)) waiting.push([child, level + 1]);
  }
  return { depth, size };
};

/** The names of variables that stand anywhere in it. */
export const namesIn = (root: Expr): ReadonlySet<string> => {
  const names = new Set<string>();
  const waiting = [root];
  for (let expr = waiting.pop(); expr !== undefined; expr = waiting.pop()) {
    if (expr.kind === 'ident') names.add(expr.name);
    waiting.push(...childrenOf(expr));
  }
  return names;
};

const childrenOf = (expr: Expr): readonly Expr[] => {
  switch (expr.kind) {
    case 'literal':
    case 'ident':
      return [];
    case 'select':
      return [expr.operand];
    case 'call':
      return expr.target === undefined ? expr.args : [expr.target, ...expr.args];
    case 'list':
      return expr.items.map(({ value }) => value);
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value]);
    case 'message':
      return expr.fields.map(({ value }) => value);
    case 'fold':
      return [expr.range, expr.predicate, expr.transform].filter((part) => part !== undefined);
    case 'optMap':
      return [expr.target, expr.body];
  }
};
