export { formatLogLine, parseLogLine, type LogLine } from './cri-log';
export { FakeContainerRuntime, type FakeContainerRuntimeOptions } from './fake';
export { shellProgram, type FakeProgram, type FakeProcessContext } from './fake-program';
