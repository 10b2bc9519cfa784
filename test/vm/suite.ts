/** Just enough of jest's globals to run one file of tests as a plain program, where a jest takes minutes to start. */
import { expect as jestExpect } from 'expect';

type Step = () => unknown;
interface Suite {
  readonly name: string;
  readonly before: Step[];
  readonly after: Step[];
}

const suites: Suite[] = [{ name: '', before: [], after: [] }];
const tests: { readonly name: string; readonly suites: readonly Suite[]; readonly run: Step }[] =
  [];

export const expect = jestExpect;

export const describe = Object.assign(
  (name: string, define: () => void): void => {
    suites.push({ name, before: [], after: [] });
    define();
    suites.pop();
  },
  { skip: (): void => undefined },
);

export const it = (name: string, run: Step): void => {
  const title = [...suites.map((suite) => suite.name), name].join(' ').trim();
  tests.push({ name: title, suites: [...suites], run });
};

export const beforeEach = (step: Step): void => void suites.at(-1)?.before.push(step);
export const afterEach = (step: Step): void => void suites.at(-1)?.after.push(step);

const runOne = async ({ suites: around, run }: (typeof tests)[number]): Promise<void> => {
  try {
    for (const step of around.flatMap(({ before }) => before)) await step();
    await run();
  } finally {
    for (const step of around.toReversed().flatMap(({ after }) => after)) await step();
  }
};

const runAll = async (): Promise<void> => {
  let failures = 0;
  const pattern = new RegExp(process.argv[2] ?? '');
  const wanted = tests.filter(({ name }) => pattern.test(name));
  for (const test of wanted) {
    const startedMs = performance.now();
    const problem = await runOne(test).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (problem !== undefined) failures++;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${problem === undefined ? 'ok' : 'FAILED'} ${test.name} (${seconds} s)`);
    if (problem !== undefined) console.log(problem);
  }
  console.log(`${wanted.length} tests, ${failures} failed`);
  process.exit(failures === 0 && wanted.length > 0 ? 0 : 1);
};

// Once the file has told all of its tests.
setImmediate(() => void runAll());
