/** SIGRTMIN as C libraries give it to programs; the kernel's first two are theirs. */
const RTMIN = 34;
const RTMAX = 64;
const SIGTERM = 15;

/**
 * The number of an image's stop signal: `SIGQUIT`, `quit`, `3`, `SIGRTMIN+3`, `rtmax-1`, as Docker reads
 * them (moby/sys/signal). SIGTERM when the image names none. @throws Error with image and value
 */
export const stopSignalOf = (image: string, stopSignal: string | undefined): number => {
  if (stopSignal === undefined || stopSignal === '') return SIGTERM;
  const number = signalNumber(stopSignal);
  if (number === undefined)
    throw new Error(`invalid stop signal ${JSON.stringify(stopSignal)} in image "${image}"`);
  return number;
};

/** Undefined for what is no signal. */
export const signalNumber = (text: string): number | undefined => {
  if (/^[+-]?[0-9]+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= RTMAX ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  return NUMBERS[name] ?? realTimeNumber(name);
};

const realTimeNumber = (name: string): number | undefined => {
  const [, base, offset] = /^(RTMIN\+|RTMAX-)([0-9]{1,2})$/.exec(name) ?? [];
  if (base === undefined) return undefined;
  const number = base === 'RTMIN+' ? RTMIN + Number(offset) : RTMAX - Number(offset);
  return number >= RTMIN && number <= RTMAX ? number : undefined;
};

/** signal(7), x86 and ARM; a null prototype, so that `constructor` is no signal. */
const NUMBERS: Readonly<Record<string, number | undefined>> = Object.assign(
  Object.create(null) as Record<string, number>,
  {
    HUP: 1,
    INT: 2,
    QUIT: 3,
    ILL: 4,
    TRAP: 5,
    ABRT: 6,
    IOT: 6,
    BUS: 7,
    FPE: 8,
    KILL: 9,
    USR1: 10,
    SEGV: 11,
    USR2: 12,
    PIPE: 13,
    ALRM: 14,
    TERM: SIGTERM,
    STKFLT: 16,
    CHLD: 17,
    CLD: 17,
    CONT: 18,
    STOP: 19,
    TSTP: 20,
    TTIN: 21,
    TTOU: 22,
    URG: 23,
    XCPU: 24,
    XFSZ: 25,
    VTALRM: 26,
    PROF: 27,
    WINCH: 28,
    IO: 29,
    POLL: 29,
    PWR: 30,
    SYS: 31,
    RTMIN,
    RTMAX,
  },
);
