import type { Fields } from '../../client/kubeconfig/files';
import { REMOVED, withEntry, withoutEntry } from '../config/entries';
import {
  changeConfig,
  fileOf,
  filePaths,
  fileWith,
  readConfig,
  type FileOptions,
} from '../config/file';
import { propertyOf, propertyValue, type Property } from '../config/property';
import { printable, type Terminal } from '../output/terminal';
import { UsageError } from '../usage-error';

export interface SetPropertyOptions extends FileOptions {
  readonly setRawBytes?: string | boolean;
}

/** Sets one field of the kubeconfig. */
export const setProperty = async (
  terminal: Terminal,
  text: string,
  value: string,
  options: SetPropertyOptions,
): Promise<void> => {
  const isRaw = options.setRawBytes === true || options.setRawBytes === 'true';
  await changeProperty(text, options, (file, property) => {
    if (property.of === 'file') return { ...file, [property.field]: value };
    const { list, name } = property;
    if (!('field' in property)) {
      throw new UsageError(`"${text}" is a whole ${list.slice(0, -1)}: name a field of it`);
    }
    const { field } = property;
    return withEntry(file, list, name, { [field]: propertyValue(list, field, value, isRaw) });
  });
  terminal.out.write(`Property "${printable(text)}" set.\n`);
};

/** Takes a field, or a whole entry, out of the kubeconfig. */
export const unsetProperty = async (
  terminal: Terminal,
  text: string,
  options: FileOptions,
): Promise<void> => {
  await changeProperty(text, options, (file, property) => {
    if (property.of === 'file') return { ...file, [property.field]: '' };
    const { list, name } = property;
    return 'field' in property
      ? withEntry(file, list, name, { [property.field]: REMOVED })
      : withoutEntry(file, list, name);
  });
  terminal.out.write(`Property "${printable(text)}" unset.\n`);
};

const changeProperty = async (
  text: string,
  options: FileOptions,
  change: (file: Fields, property: Property) => Fields,
): Promise<void> => {
  const paths = filePaths(options);
  const property = propertyOf(text, await readConfig(paths));
  const path =
    property.of === 'file'
      ? await fileWith(paths, (file) => Boolean(file[property.field]))
      : await fileOf(options, property.list, property.name);
  await changeConfig(path, (file) => change(file, property));
};
