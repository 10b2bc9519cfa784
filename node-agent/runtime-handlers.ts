import { installedProgram, type HandlerConfig } from '../runtime/containers';

/** `NAME=PATH[,--FLAG…]`; undefined: not of that form. */
export const parseRuntimeHandler = (text: string): HandlerConfig | undefined => {
  const [, name = '', path = '', rest = ''] = HANDLER.exec(text) ?? [];
  if (name === '' || name === OWN) return undefined;
  return { name, path, flags: rest.split(',').filter((flag) => flag !== '') };
};

/** Those that are told of, and those that are installed under a name that is not told of. */
export const runtimeHandlersToTry = (told: readonly string[]): readonly HandlerConfig[] => {
  const named = told.flatMap((text) => parseRuntimeHandler(text) ?? []);
  const found = KNOWN.flatMap((name): readonly HandlerConfig[] => {
    const path = installedProgram(name);
    const isNamed = named.some((each) => each.name === name);
    return path === undefined || isNamed ? [] : [{ name, path, flags: [] }];
  });
  return [...named, ...found];
};

/** A DNS label, as RuntimeClasses name handlers; an absolute path; what each call begins with. */
const HANDLER =
  /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)=(\/[^,\0]{0,1023})((?:,--[^,\0]{1,255}){0,32})$/;
const OWN = 'dhow';
const KNOWN = ['runc', 'crun', 'runsc'];
