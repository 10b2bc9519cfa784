import { ApiError, hasReason } from '../../api/errors';
import { jsonEqual } from '../../api/json-value';
import { pathOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { readYaml, toYaml, YamlError } from '../../api/yaml';
import { queryOf } from '../../client/rest-client';
import { stringifyJson } from '../../lib/json';
import { subresourceOf, tell, tellingOf, type ChangeOptions, type Telling } from '../changing';
import type { CliContext } from '../context';
import { DraftFile } from '../edit/draft-file';
import { editorCommand, runEditor } from '../edit/editor';
import { rebase } from '../edit/rebase';
import { printable } from '../output/terminal';
import { select, type Selected } from '../selection';
import { UsageError } from '../usage-error';
import { validationOf, withRecord } from './apply';
import { withoutManagedFields } from './get';

export interface EditOptions extends ChangeOptions {
  readonly validate?: string;
  readonly saveConfig?: boolean;
  readonly showManagedFields?: boolean;
}

/**
 * Has the user edit objects, one after the other, until the server takes them. What others change
 * meanwhile is kept; what both changed is shown again. Nothing that was written is lost.
 */
export const edit = async (
  context: CliContext,
  args: readonly string[],
  options: EditOptions,
): Promise<void> => {
  const format = options.output === 'json' ? 'json' : 'yaml';
  if (options.output !== undefined && !['json', 'yaml'].includes(options.output)) {
    throw new UsageError(`-o takes yaml or json here, not "${options.output}"`);
  }
  const { output: _edited, ...rest } = options;
  const telling = tellingOf(rest);
  validationOf(options.validate);
  const { found, failure } = await select(context, args, { ...options, all: true });
  if (failure !== undefined) throw failure;
  if (found.length === 0) context.terminal.err.write('edit cancelled, no objects found\n');
  for (const selected of found) {
    const { name } = selected.object.metadata;
    using file = new DraftFile(`${selected.info.kind.toLowerCase()}-${name}.${format}`);
    const session = new Session(context, selected, { ...options, format, telling }, file);
    await session.run();
  }
};

interface SessionOptions extends EditOptions {
  readonly format: 'json' | 'yaml';
  readonly telling: Telling;
}

/** One object, from the first look at it to the last word about it. */
class Session {
  private base: ApiObject;

  constructor(
    private readonly context: CliContext,
    private readonly selected: Selected,
    private readonly options: SessionOptions,
    private readonly file: DraftFile,
  ) {
    this.base = selected.object;
  }

  async run(): Promise<void> {
    const { err } = this.context.terminal;
    if (this.options.subresource !== undefined) this.base = await this.read();
    let text = this.render(this.base);
    let notes: readonly string[] = [];
    for (;;) {
      const before = HEADER + commented(notes) + text;
      this.file.show(before);
      await this.letUserEdit();
      const after = this.file.read();
      if (notes.length > 0 && after === before) this.giveUp(notes);
      if (withoutComments(after).trim() === '') {
        err.write('Edit cancelled, saved file was empty.\n');
        return;
      }
      if (notes.length === 0 && withoutComments(after) === withoutComments(before)) {
        err.write('Edit cancelled, no changes made.\n');
        return;
      }
      const outcome = await this.submit(after);
      if (outcome.is === 'done') return;
      notes = outcome.notes;
      text = outcome.text;
    }
  }

  private async letUserEdit(): Promise<void> {
    try {
      await runEditor(editorCommand(process.env), this.file.path);
    } catch (error) {
      if (this.file.isTouched) this.context.terminal.err.write(this.file.keep());
      throw error;
    }
    if (this.context.signal.aborted && this.file.isTouched)
      this.context.terminal.err.write(this.file.keep());
    this.context.signal.throwIfAborted();
  }

  private giveUp(notes: readonly string[]): never {
    const { err } = this.context.terminal;
    err.write(printable(`error: ${notes.join('\n')}\n`));
    err.write(this.file.keep());
    throw new UsageError('Edit cancelled, no valid changes were saved.');
  }

  /** Sends what the user made, or says why it cannot be. */
  private async submit(text: string): Promise<Outcome> {
    let edited: ApiObject;
    try {
      edited = this.parse(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return { is: 'refused', notes: [error.message], text: withoutComments(text) };
    }
    const shown = this.shownOf(this.base);
    if (jsonEqual(edited, shown)) {
      this.context.terminal.err.write('Edit cancelled, no changes made.\n');
      return { is: 'done' };
    }
    try {
      return await this.write(edited);
    } catch (error) {
      if (!isRefusal(error)) {
        this.context.terminal.err.write(this.file.keep());
        throw error;
      }
      const notes = [
        `${this.plural} "${this.base.metadata.name}" was not valid:`,
        `* ${error.message}`,
      ];
      return { is: 'refused', notes, text: withoutComments(text) };
    }
  }

  private async write(edited: ApiObject): Promise<Outcome> {
    let mine = edited;
    for (let attempt = 0; ; attempt++) {
      try {
        const object = await this.put(mine);
        tell(this.context, this.options.telling, {
          info: this.selected.info,
          object,
          told: 'edited',
        });
        return { is: 'done' };
      } catch (error) {
        if (!hasReason(error, 'Conflict') || attempt === ATTEMPTS_MAX) throw error;
      }
      const theirs = await this.read();
      const { merged, conflicts } = rebase(this.shownOf(this.base), mine, this.shownOf(theirs));
      this.base = theirs;
      mine = merged as ApiObject;
      if (conflicts.length > 0) {
        return { is: 'refused', notes: conflictNotes(conflicts), text: this.textOf(mine) };
      }
    }
  }

  private get plural(): string {
    return this.selected.info.plural;
  }

  private read(): Promise<ApiObject> {
    const { client, signal } = this.context;
    return client.json<ApiObject>({ method: 'GET', path: this.path, signal });
  }

  private put(object: ApiObject): Promise<ApiObject> {
    const { client, signal } = this.context;
    const { validate, saveConfig, telling } = this.options;
    const query = queryOf({
      fieldManager: telling.fieldManager,
      fieldValidation: validationOf(validate),
      dryRun: telling.dryRun === 'none' ? undefined : 'All',
    });
    const body = stringifyJson(saveConfig === true ? withRecord(object) : object);
    return client.json<ApiObject>({ method: 'PUT', path: this.path + query, body, signal });
  }

  private get path(): string {
    const { namespace, name } = this.selected.object.metadata;
    return pathOf(this.selected.info, namespace, name, subresourceOf(this.options.subresource));
  }

  /** What of an object is for the user's eyes. */
  private shownOf(object: ApiObject): ApiObject {
    return this.options.showManagedFields === true ? object : withoutManagedFields(object);
  }

  private render(object: ApiObject): string {
    return this.textOf(this.shownOf(object));
  }

  private textOf(object: ApiObject): string {
    return this.options.format === 'json' ? `${stringifyJson(object, 4)}\n` : toYaml(object);
  }

  /** @throws UsageError */
  private parse(text: string): ApiObject {
    const value = documentOf(text) as Partial<ApiObject> | undefined;
    const { apiVersion, kind, metadata } = this.base;
    const fixed = [
      ['apiVersion', apiVersion, value?.apiVersion],
      ['kind', kind, value?.kind],
      ['metadata.name', metadata.name, value?.metadata?.name],
      ['metadata.namespace', metadata.namespace, value?.metadata?.namespace],
    ] as const;
    const changed = fixed.find(([, was, is]) => was !== is);
    if (changed !== undefined) {
      const [field, was = ''] = changed;
      throw new UsageError(`${field} may not be changed here: it is "${was}"`);
    }
    return value as ApiObject;
  }
}

type Outcome =
  | { readonly is: 'done' }
  | { readonly is: 'refused'; readonly notes: readonly string[]; readonly text: string };

const documentOf = (text: string): unknown => {
  try {
    const documents = readYaml(text);
    const [document, another] = documents;
    if (document === undefined || another !== undefined) {
      throw new UsageError(`one document is expected, not ${documents.length}`);
    }
    const [twice] = document.duplicates;
    if (twice !== undefined) throw new UsageError(`${twice.path} is given twice`);
    return document.value;
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new UsageError(`The edited file had a syntax error: ${error.message}`, { cause: error });
  }
};

const isRefusal = (error: unknown): error is ApiError =>
  hasReason(error, 'Invalid') || hasReason(error, 'BadRequest');

const conflictNotes = (paths: readonly string[]): readonly string[] => [
  'somebody else has meanwhile changed what you changed, to something else:',
  ...paths.slice(0, NOTES_MAX).map((path) => `* ${path}`),
  'Yours is shown. Remove these lines to have it, or leave the file as it is to give up.',
];

const commented = (notes: readonly string[]): string =>
  notes.length === 0
    ? ''
    : `${notes
        .flatMap((note) => printable(note).split('\n'))
        .map((line) => `# ${line}\n`)
        .join('')}#\n`;

const withoutComments = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');

const HEADER = `# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
`;
const ATTEMPTS_MAX = 5;
const NOTES_MAX = 20;
