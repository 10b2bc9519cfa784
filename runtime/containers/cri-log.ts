/** The CRI log format: `<RFC3339Nano> <stream> <F|P> <text>`, one line each. */
export interface LogLine {
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** The line goes on in the next entry of the same stream. */
  readonly isPartial: boolean;
  readonly text: string;
}

/** One entry with its newline. */
export const formatLogLine = (line: LogLine): string =>
  `${line.timestamp} ${line.stream} ${line.isPartial ? 'P' : 'F'} ${line.text}\n`;

/** Undefined for what is not an entry, so that a torn last line does no harm. */
export const parseLogLine = (raw: string): LogLine | undefined => {
  const match = LOG_LINE.exec(raw);
  if (match === null) return undefined;
  const [, timestamp = '', stream, tag, text = ''] = match;
  return {
    timestamp,
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    isPartial: tag === 'P',
    text,
  };
};

const LOG_LINE = /^(\S+) (stdout|stderr) ([FP])(?::\S*)? (.*)$/s;
