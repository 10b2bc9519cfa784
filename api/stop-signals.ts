import type { Container } from './types';

/** The signal that a container itself asks to be stopped by (KEP-4960), over its image's. */
export const ownStopSignal = (lifecycle: Container['lifecycle']): string | undefined =>
  // Newer than the types.
  (lifecycle as { readonly stopSignal?: string } | undefined)?.stopSignal;

const REALTIME_COUNT = 15;

/** What `lifecycle.stopSignal` may name for `spec.os.name: linux`. */
export const LINUX_STOP_SIGNALS: readonly string[] = [
  ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV'.split(
    ' ',
  ),
  ...'STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ'.split(' '),
  'RTMIN',
  ...Array.from({ length: REALTIME_COUNT }, (_, i) => `RTMIN+${i + 1}`),
  ...Array.from({ length: REALTIME_COUNT - 1 }, (_, i) => `RTMAX-${REALTIME_COUNT - 1 - i}`),
  'RTMAX',
].map((name) => `SIG${name}`);

export const WINDOWS_STOP_SIGNALS: readonly string[] = ['SIGKILL', 'SIGTERM'];
