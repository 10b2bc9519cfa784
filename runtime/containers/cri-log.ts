/** The CRI log format: `<RFC3339Nano> <stream> <F|P> <text>`, one line each. */
export interface LogLine {
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** The line goes on in the next entry of the same stream. */
  readonly isPartial: boolean;
  readonly text: string;
  /** On the first entry of a file: how many whole lines were written to files before it. */
  readonly linesBefore?: number;
}

/** One entry with its newline. */
export const formatLogLine = (line: LogLine): string =>
  `${line.timestamp} ${line.stream} ${tagsOf(line)} ${line.text}\n`;

const tagsOf = ({ isPartial, linesBefore }: LogLine): string =>
  (isPartial ? 'P' : 'F') + (linesBefore === undefined ? '' : `:after=${linesBefore}`);

/** Undefined for what is not an entry, so that a torn last line does no harm. */
export const parseLogLine = (raw: string): LogLine | undefined => {
  const match = LOG_LINE.exec(raw);
  if (match === null) return undefined;
  const [, timestamp = '', stream, tag, linesBefore, text = ''] = match;
  return {
    timestamp,
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    isPartial: tag === 'P',
    text,
    ...(linesBefore === undefined ? {} : { linesBefore: Number(linesBefore) }),
  };
};

/** Tags of others are let pass. */
const LOG_LINE = /^(\S+) (stdout|stderr) ([FP])(?::after=(\d{1,15})|:\S*)? (.*)$/s;
