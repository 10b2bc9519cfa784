import { folderOfWorlds } from '../folder';
import { seedsOf } from '../seeds';
import { FAULTS } from './faults';
import { liveADay } from './life';
import { USERS } from './users';

jest.setTimeout(600_000);

const directory = folderOfWorlds();

/** `npm run life` is the campaign; SIMULATION_SEED=7 plays one day again and says what matters of it. */
it.each(seedsOf(16))(
  'seed %i: all workloads live through a day of users and faults',
  async (seed) => {
    try {
      await liveADay({ seed, directory: directory() });
    } catch (error) {
      // At once: a campaign takes long, and a day may be played again beside it.
      process.stderr.write(`SIMULATION_SEED=${seed} fails: ${String(error)}\n`);
      if (process.env['SIMULATION_SEED'] === undefined) throw error;
      const needless = await needlessFor(seed);
      throw new Error(`it fails as well without ${needless.join() || 'nothing'}`, { cause: error });
    }
  },
);

/** What may be left out of the day all together: it fails without it too. */
const needlessFor = async (seed: number): Promise<readonly string[]> => {
  const without = new Set<string>();
  for (const name of [...Object.keys(USERS), ...Object.keys(FAULTS)]) {
    without.add(name);
    if (!(await isFailing(seed, without))) without.delete(name);
  }
  return [...without];
};

const isFailing = (seed: number, without: ReadonlySet<string>): Promise<boolean> =>
  liveADay({ seed, directory: directory(), without }).then(
    () => false,
    () => true,
  );
