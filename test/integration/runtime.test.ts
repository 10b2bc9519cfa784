import { runtimeSuite } from '../../runtime/containers/runtime-suite';
import { openRuntimeHost } from './runtime-host';

runtimeSuite('the runtime on this host', openRuntimeHost);
