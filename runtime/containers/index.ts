export { formatLogLine, parseLogLine, type LogLine } from './cri-log';
export { destroyEverything } from './destroy';
export { FakeContainerRuntime, type FakeContainerRuntimeOptions } from './fake';
export { shellProgram, type FakeProgram, type FakeProcessContext } from './fake-program';
export { createContainerRuntime, type ContainerRuntimeOptions } from './runtime';
