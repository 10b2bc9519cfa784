export { parseSchedulerConfiguration } from './configuration/configuration';
export { createScheduler, type Scheduler, type SchedulerDeps } from './scheduler';
