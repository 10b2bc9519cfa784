// Reads the declarations of Kubernetes' Go API types: what gofmt wrote, not Go at large.

/** @typedef {{ name: string, doc: string[], markers: Record<string, string[]> }} Commented */

const FIELD = /^\t(?:([A-Z]\w*)\s+)?(\S+)\s+`([^`]+)`/;
const ALIAS = /^type (\w+) (=?\s*)((?:string|\[\]|map\[|int32|int64|\w+\.).*)$/;
const CONSTANT = /^\t?(?:const )?(\w+)\s+(\w+)\s+= "([^"]*)"/;

/** The types, named strings and constants of one file. */
export const parseGoTypes = (text) => {
  const found = { imports: importsOf(text), structs: new Map(), aliases: new Map(), constants: [] };
  let comment = [];
  let struct;
  for (const line of text.split('\n')) {
    const code = line.replace(/^\s+/, '');
    if (code.startsWith('//')) {
      comment.push(code.replace(/^\/\/ ?/, ''));
      continue;
    }
    if (struct === undefined) struct = topLevel(found, line, comment);
    else if (line === '}') struct = undefined;
    else addField(struct, line, comment);
    // An empty line ends a comment that belongs to nothing; gengo joins the paragraph above a type.
    if (code !== '' || struct !== undefined) comment = [];
    else if (comment.length > 0 && !comment.includes(DETACHED)) comment.push(DETACHED);
  }
  return found;
};

/** Between a paragraph and the type it stands above. */
const DETACHED = '\u0000';

const topLevel = (found, line, comment) => {
  const [, structName] = /^type (\w+) struct \{$/.exec(line) ?? [];
  if (structName !== undefined) {
    const struct = { ...described(comment), fields: [] };
    found.structs.set(structName, struct);
    return struct;
  }
  const [, emptyName] = /^type (\w+) struct ?\{\}$/.exec(line) ?? [];
  if (emptyName !== undefined) found.structs.set(emptyName, { ...described(comment), fields: [] });
  const alias = ALIAS.exec(line);
  if (alias !== null) {
    found.aliases.set(alias[1], { ...described(comment), type: alias[3].replace(/ \/\/.*$/, '') });
  }
  const constant = CONSTANT.exec(line);
  if (constant !== null) {
    const [, name, type, value] = constant;
    found.constants.push({ name, type, value, doc: described(comment).doc });
  }
  return undefined;
};

const addField = (struct, line, comment) => {
  const match = FIELD.exec(line);
  if (match === null) {
    if (/^\t[A-Z]/.test(line)) throw new Error(`no field: ${line}`);
    return;
  }
  const [, name, type, tagText] = match;
  const tags = Object.fromEntries(
    [...tagText.matchAll(/(\w+):"([^"]*)"/g)].map(([, key, value]) => [key, value]),
  );
  struct.fields.push({ name, type, tags, ...described(comment) });
};

/** Comment lines as text, in the way upstream makes descriptions of them, and its `+markers`. */
const described = (comment) => {
  const own = comment.slice(comment.lastIndexOf(DETACHED) + 1);
  const markers = {};
  for (const line of comment) {
    const [, name, value] = /^\s*\+([\w:-]+)(?:=(.*))?$/.exec(line) ?? [];
    if (name !== undefined) (markers[name] ??= []).push(value ?? '');
  }
  return { doc: descriptionOf(own), markers };
};

const descriptionOf = (lines) => {
  let text = '';
  for (const raw of lines) {
    if (raw === '---') break;
    const line = raw.trimEnd();
    const leading = line.trimStart();
    if (line === '') text = `${text.slice(0, -1)}\n\n`;
    else if (leading.startsWith('TODO') || leading.startsWith('+')) continue;
    else if (/^[ \t]/.test(line)) text = `${text.slice(0, -1)}\n${line}\n`;
    else text += `${line} `;
  }
  return text.replace(/^\n+|\n+$/g, '').trim();
};

const importsOf = (text) => {
  const block = /^import \(([^)]*)\)/m.exec(text)?.[1] ?? /^import (.*)$/m.exec(text)?.[1] ?? '';
  return new Map(
    [...block.matchAll(/(?:(\w+) )?"([^"]+)"/g)].map(([, name, path]) => [
      name ?? path.slice(path.lastIndexOf('/') + 1),
      path,
    ]),
  );
};
