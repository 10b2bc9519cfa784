import { COMPLETION_SCRIPTS } from '../completion/scripts';
import type { Terminal } from '../output/terminal';
import { UsageError } from '../usage-error';

/** Prints what makes a shell complete command lines. @throws UsageError */
export const completion = async ({ out }: Terminal, shell: string | undefined): Promise<void> => {
  if (shell === undefined) throw new UsageError('Shell not specified.');
  const script = Object.hasOwn(COMPLETION_SCRIPTS, shell) ? COMPLETION_SCRIPTS[shell] : undefined;
  if (script === undefined) throw new UsageError(`Unsupported shell type "${shell}".`);
  out.write(script);
};
