import { Command } from 'commander';
import { apiVersionOf, SCHEDULING_DECISIONS } from '../api/resources';
import type { DecisionReplay } from '../api/decision-replays';
import {
  CaptureError,
  parseSchedulerConfiguration,
  Profiles,
  readCapture,
  replayDecisions,
  type RestoredCapture,
} from '../control-plane/scheduler';
import { describeError } from '../lib/describe-error';
import { readWithin } from '../lib/files';
import { tellReplay, textOf, type ReplayOptions } from './commands/replay';
import { outputFormat } from './output/format';
import { systemTerminal } from './output/terminal';
import { withTemplate } from './output/template-flag';
import { runProgram } from './program';
import { replayCommand } from './syntax/explaining';
import { UsageError } from './usage-error';

type BundleReplayOptions = ReplayOptions & { readonly bundle: string };

/** `dhow replay --bundle`: the scheduler takes decisions again that another machine captured. */
export const main = async (argv: readonly string[]): Promise<number> => {
  let code = 0;
  const program = new Command('dhow');
  withTemplate(replayCommand(program)).action(async (options: BundleReplayOptions) => {
    code = await replayBundle(options);
  });
  return (await runProgram(program, argv)) || code;
};

const replayBundle = async (options: BundleReplayOptions): Promise<number> => {
  const { bundle: file, config, last, output } = options;
  if (last !== undefined) throw new UsageError('--last: a bundle is replayed as a whole');
  const format = outputFormat(output);
  const given = config === undefined ? undefined : configurationIn(await textOf(config));
  const { status, count, madeBy } = of(file, () => {
    const captured = readCapture(readWithin(file, PACKED_BYTES_MAX));
    const profiles = given === undefined ? captured.profiles : new Profiles(given.profiles);
    return replayed(captured, profiles);
  });
  const document: DecisionReplay = {
    ...{ apiVersion: apiVersionOf(SCHEDULING_DECISIONS), kind: 'DecisionReplay' },
    metadata: { name: '' },
    spec: { last: count },
    status: { ...status, warnings: [...otherVersion(madeBy), ...(given?.warnings ?? [])] },
  };
  return tellReplay(document, systemTerminal(), format);
};

/** What differs may then be what changed in Dhow. */
const otherVersion = (madeBy: string): readonly string[] => {
  const own = process.env['DHOW_VERSION'] ?? 'development';
  return madeBy === own ? [] : [`the bundle is of Dhow ${madeBy}, this is ${own}`];
};

const replayed = ({ steps, seed, dhowVersion }: RestoredCapture, profiles: Profiles) => {
  const run = replayDecisions(steps, { profiles, seed });
  let step = run.next();
  while (step.done !== true) step = run.next();
  return { status: step.value, count: step.value.replayed, madeBy: dhowVersion };
};

const configurationIn = (text: string) => {
  try {
    return parseSchedulerConfiguration(text);
  } catch (error) {
    throw new UsageError(describeError(error));
  }
};

/** What is wrong with the file is told with its name. @throws UsageError */
const of = <T>(file: string, make: () => T): T => {
  try {
    return make();
  } catch (error) {
    const isOfFile = error instanceof CaptureError || (error as NodeJS.ErrnoException).code;
    throw isOfFile ? new UsageError(`--bundle ${file}: ${describeError(error)}`) : error;
  }
};

const PACKED_BYTES_MAX = 128 * 1024 * 1024;
