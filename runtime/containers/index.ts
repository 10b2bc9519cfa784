export { formatLogLine, parseLogLine, type LogLine } from './cri-log';
export { destroyEverything } from './destroy';
export { FakeContainerRuntime, type FakeContainerRuntimeOptions } from './fake';
export { shellProgram, type FakeProgram, type FakeProcessContext } from './fake-program';
export { installedProgram, type HandlerConfig } from './handlers';
export { createContainerRuntime, type ContainerRuntimeOptions } from './runtime';
