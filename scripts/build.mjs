// Bundles the commands into dist/ and compiles the launcher. Quick, and safe to run again.
import { join } from 'node:path';
import { bundleInto, root } from './bundles.mjs';

await bundleInto(join(root, 'dist'), { sourcemap: 'linked' });
