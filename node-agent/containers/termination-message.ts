import { type Pod, uidOf } from '../../api/types';
import { parseLogLine } from '../../runtime/containers';
import { readEndOfShapedFile } from '../shaped-files';
import { containerNamed } from '../pod-spec/environment';
import type { ObservedContainer } from '../inventory/observe';
import type { PodPaths } from '../inventory/pod-paths';

/** As upstream the last of it, when there is more. */
const MAX_MESSAGE_BYTES = 4096;
const LOG_READ_BYTES = 64 * 1024;
const MAX_LOG_BYTES = 2048;
const MAX_LOG_LINES = 80;

/** What a container left to say at its end: its message file, or the end of its log if the pod asks so. */
export const terminationMessageOf = (
  paths: PodPaths,
  pod: Pod,
  run: ObservedContainer,
): string | undefined => {
  const path = paths.terminationMessage(uidOf(pod), run.name, run.restartCount);
  const message = readEndOfShapedFile(path, MAX_MESSAGE_BYTES)?.toString();
  if (message !== undefined && message !== '') return message;
  const container = containerNamed(pod, run.name);
  const hasFailed = run.state.status === 'exited' && run.state.exit.exitCode !== 0;
  if (container?.terminationMessagePolicy !== 'FallbackToLogsOnError' || !hasFailed)
    return remembered(pod, run);
  const logPath = paths.logPath(pod, run.name, run.restartCount);
  const log = readEndOfShapedFile(logPath, LOG_READ_BYTES)?.toString();
  if (log === undefined) return remembered(pod, run);
  const lines = log.split('\n').flatMap((raw) => {
    const line = parseLogLine(raw);
    return line === undefined ? [] : [line.text + (line.isPartial ? '' : '\n')];
  });
  return lines.slice(-MAX_LOG_LINES).join('').slice(-MAX_LOG_BYTES);
};

/** After clean-up the files are gone; what was read from them has been reported. */
const remembered = ({ status }: Pod, { id, name }: ObservedContainer): string | undefined => {
  const all = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  const found = all.find((candidate) => candidate.name === name);
  const ends = [found?.state?.terminated, found?.lastState?.terminated];
  return ends.find((end) => end?.containerID?.endsWith(id) === true)?.message;
};
