import { Argument, type Command } from 'commander';
import { examples, lazily, type Connected, type Local } from './command';

export const defineCompletion = (program: Command, _connected: Connected, local: Local): void => {
  // Not by commander's choices: kubectl words the refusal.
  const shell = new Argument('[shell]');
  shell.argChoices = ['bash', 'zsh', 'fish'];
  local<[string | undefined]>(
    program
      .command('completion')
      .addArgument(shell)
      .usage('bash|zsh|fish')
      .description('Print what makes a shell complete commands, flags, kinds and names')
      .addHelpText(
        'after',
        examples(
          'source <(dhow completion bash)      in this shell; for all, put it into ~/.bashrc',
          'source <(dhow completion zsh)       the same of ~/.zshrc, after compinit',
          'dhow completion fish > ~/.config/fish/completions/dhow.fish',
        ),
      ),
    lazily(async () => (await import('../commands/completion.js')).completion),
  );
};
