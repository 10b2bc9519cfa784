import { spawn } from 'node:child_process';
import { UsageError } from '../usage-error';

/** The editor that the user wants: a program with arguments. */
export const editorCommand = (env: NodeJS.ProcessEnv): string =>
  [env['KUBE_EDITOR'], env['EDITOR']].find((text) => text?.trim()) ?? 'vi';

/** Has the user edit a file; resolves when the editor has ended. @throws UsageError when it fails */
export const runEditor = (command: string, file: string): Promise<void> =>
  new Promise((resolve, reject) => {
    // What has blanks or quotes is for a shell, which gets the file as an argument.
    const isPlain = /^[\w./-]+$/.test(command);
    const child = isPlain
      ? spawn(command, [file], { stdio: 'inherit' })
      : spawn('/bin/sh', ['-c', `${command} "$1"`, 'sh', file], { stdio: 'inherit' });
    child.once('error', (error) =>
      reject(
        new UsageError(`unable to launch the editor "${command}": ${error.message}`, {
          cause: error,
        }),
      ),
    );
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new UsageError(
            `there was a problem with the editor "${command}": ${signal ?? `exit code ${code ?? 0}`}`,
          ),
        );
    });
  });
