import { main } from '../../../cli/server';

// The bundle that `own-server.ts` starts.
void main(process.argv.slice(1)).then((code) => (process.exitCode = code));
