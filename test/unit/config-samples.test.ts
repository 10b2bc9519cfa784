import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { agentProgram } from '../../cli/agent';
import { applyConfig, isRepeatable, optionsOfFile } from '../../cli/config-file';
import { serverProgram } from '../../cli/server';

const FOLDER = join(__dirname, '../../deploy/package');
const IS_WRITING = process.env['DHOW_WRITE_DOCS'] === '1';

/** What a package sets; all else is there as a remark. */
const SET: Readonly<Record<string, string>> = {
  'shutdown-grace-period': '60s',
  'shutdown-grace-period-critical-pods': '20s',
};

const sampleOf = (program: Command): string =>
  [
    `# Flags of ${program.name()}, without the dashes; see ${program.name()} --help.`,
    '# One that may be repeated takes a list. What the command line says wins.',
    ...optionsOfFile(program).map(
      (option) => `\n# ${option.description}${choicesOf(option)}\n${lineOf(option)}`,
    ),
    '',
  ].join('\n');

const choicesOf = ({ argChoices }: Option): string =>
  argChoices === undefined ? '' : ` (${argChoices.join(', ')})`;

const lineOf = (option: Option): string => {
  const name = option.long?.slice(2) ?? '';
  const value = /<.*>/.exec(option.flags)?.[0] ?? 'true';
  return SET[name] === undefined
    ? `#${name}: ${isRepeatable(option) ? `[${value}]` : value}`
    : `${name}: ${SET[name]}`;
};

describe.each([
  ['server.yaml', serverProgram, {}],
  [
    'agent.yaml',
    agentProgram,
    { shutdownGracePeriod: '60s', shutdownGracePeriodCriticalPods: '20s' },
  ],
] as const)('%s of a package', (name, make, set) => {
  const file = join(FOLDER, name);

  it('shows every flag (write it anew with DHOW_WRITE_DOCS=1)', () => {
    const sample = sampleOf(make());
    if (IS_WRITING) writeFileSync(file, sample);
    expect(readFileSync(file, 'utf8')).toBe(sample);
  });

  it('is a right file as it comes', () => {
    const program = make();
    applyConfig(program, name, readFileSync(file, 'utf8'));
    expect(program.opts()).toEqual(set);
  });
});
