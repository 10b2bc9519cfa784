/**
 * Replaces `$(NAME)` by its value. `$$` is a literal `$`; a name without a value stays as written.
 */
export const expand = (text: string, values: ReadonlyMap<string, string>): string => {
  let result = '';
  let index = 0;
  while (index < text.length) {
    const dollar = text.indexOf('$', index);
    if (dollar < 0) return result + text.slice(index);
    result += text.slice(index, dollar);
    const next = text[dollar + 1];
    const close = next === '(' ? text.indexOf(')', dollar) : -1;
    if (next === '$') {
      result += '$';
      index = dollar + 2;
    } else if (close >= 0) {
      const name = text.slice(dollar + 2, close);
      result += values.get(name) ?? `$(${name})`;
      index = close + 1;
    } else {
      result += '$';
      index = dollar + 1;
    }
  }
  return result;
};
