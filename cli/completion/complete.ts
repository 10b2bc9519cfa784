import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { withDeadline } from '../../lib/async/deadline';
import { systemClock } from '../../lib/clock';
import { connect } from '../context';
import { withOptionsBehind } from '../leading-options';
import type { Terminal } from '../output/terminal';
import { candidatesOf } from './candidates';
import { lineOf, type Candidate } from './wanted';

/**
 * Prints what the last of `words` may become, a line each, with a tab before what it means. Never an
 * error, and never for long: a shell waits, in the middle of somebody's typing.
 */
export const complete = async (
  [shell = '', ...words]: readonly string[],
  programOf: (command: string | undefined) => Promise<Command>,
  { out }: Terminal,
  signal: AbortSignal,
): Promise<void> => {
  try {
    const whole = shell === 'bash' ? withJoinedValues(words) : words;
    const joined = withOptionsBehind(whole.slice(0, -1), whole.slice(-1));
    const program = await programOf(joined.length > 1 ? joined[0] : undefined);
    const { wanted, typed, lead, options } = lineOf(program, joined);
    const deadline = { what: 'completion', limitMs: DEADLINE_MS, clock: systemClock, signal };
    const found = await withDeadline(deadline, (inTime) =>
      candidatesOf(wanted, options, () => connect(options, SILENT, inTime)),
    );
    // bash takes what is behind the equals sign for a word of its own.
    const shownLead = shell === 'bash' ? '' : lead;
    out.write(
      found
        .filter((each) => isSafe(each) && each.word.startsWith(typed))
        .slice(0, CANDIDATES_MAX)
        .map(({ word, help = '' }) => `${shownLead}${word}${help === '' ? '' : `\t${help}`}\n`)
        .join(''),
    );
  } catch {
    // No cluster, no answer: nothing to offer.
  }
};

/** bash splits `--output=y` in three. */
const withJoinedValues = (words: readonly string[]): readonly string[] => {
  const joined: string[] = [];
  for (const [i, word] of words.entries()) {
    const isValue = words[i - 1] === '=' && joined.at(-1)?.endsWith('=') === true;
    const isEquals = word === '=' && joined.at(-1)?.startsWith('-') === true;
    if (isValue || isEquals) joined.push(`${joined.pop() ?? ''}${word}`);
    else joined.push(word);
  }
  return joined;
};

/** Names are of others: nothing that a shell could take for more than a word. */
const isSafe = ({ word }: Candidate): boolean => /^[A-Za-z0-9@%_+=:,./-]+$/.test(word);

const SILENT: Terminal = {
  out: new Writable({ write: (_chunk, _encoding, done) => done() }),
  err: new Writable({ write: (_chunk, _encoding, done) => done() }),
  isInteractive: false,
  columns: 80,
};

const CANDIDATES_MAX = 1000;
const DEADLINE_MS = 1500;
