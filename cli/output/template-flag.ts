import type { Command } from 'commander';

/** Gives a command that takes `-o` kubectl's `--template`: the template apart from the format. */
export const withTemplate = (command: Command): Command => {
  if (!command.options.some(({ long }) => long === '--output')) return command;
  return command
    .option('--template <template>', 'the template of -o go-template, which it is by default')
    .hook('preAction', () => {
      const { output, template } = command.opts<{ output?: string; template?: string }>();
      if (template !== undefined) command.setOptionValue('output', outputWith(output, template));
    });
};

/** What `-o` and `--template` together ask for, as `-o` alone says it. */
export const outputWith = (output: string | undefined, template: string): string | undefined => {
  if (template === '') return output;
  if (output === undefined || output === '') return `go-template=${template}`;
  return TEMPLATE_FORMATS.has(output) ? `${output}=${template}` : output;
};

/** The formats that make no sense without a template. */
export const TEMPLATE_FORMATS: ReadonlySet<string> = new Set([
  ...['go-template', 'go-template-file', 'template', 'templatefile'],
  ...['jsonpath', 'jsonpath-file'],
]);
