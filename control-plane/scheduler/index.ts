export { createScheduler, type Scheduler, type SchedulerDeps } from './scheduler';
export { IMAGE_LAYERS_ANNOTATION } from './images';
