import { openPki } from '../../../control-plane/pki/pki';
import { systemClock } from '../../../lib/clock';

/** For a test that kills it: renews the certificates in a folder again and again. */
const main = async (directory: string): Promise<void> => {
  const pki = await openPki({ directory, serverNames: [], lifeMs: 60_000, clock: systemClock });
  process.stdout.write('renewing\n');
  for (;;) {
    await pki.renewDue(2);
    // What is written is whole seconds: the next is due in a moment.
    await systemClock.sleep(1);
  }
};

void main(process.argv[2] ?? '');
