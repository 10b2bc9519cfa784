import { UsageError } from './usage-error';

/** `client` computes and asks the server no more; `server` tries it there. Neither writes. */
export type DryRun = 'none' | 'client' | 'server';

/** What follows a line that tells of a change. */
export const DRY_RUN_NOTES: Readonly<Record<DryRun, string>> = {
  none: '',
  client: ' (dry run)',
  server: ' (server dry run)',
};

/** What `--dry-run` asks for; without a mode, the server's. @throws UsageError */
export const dryRunOf = (mode: string | boolean | undefined): DryRun => {
  if (mode === undefined || mode === 'none' || mode === false) return 'none';
  if (mode === true || mode === 'server') return 'server';
  if (mode === 'client') return mode;
  throw new UsageError(`--dry-run takes server, client or none, not "${mode}"`);
};
