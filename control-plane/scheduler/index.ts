export { CaptureError } from './capture/problem';
export { readCapture } from './capture/read';
export type { RestoredCapture } from './capture/restore';
export { parseSchedulerConfiguration } from './configuration/configuration';
export { Profiles } from './profile';
export { replayDecisions } from './replay/replay';
export { createScheduler, type Scheduler, type SchedulerDeps } from './scheduler';
