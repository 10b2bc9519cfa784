// Writes proto/gen from proto/, and whatever else is generated and checked in.
import { execFileSync } from 'node:child_process';

execFileSync('npx', ['buf', 'lint'], { stdio: 'inherit' });
execFileSync('npx', ['buf', 'generate'], { stdio: 'inherit' });
await import('./generate-schema.mjs');
