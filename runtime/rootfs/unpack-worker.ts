import { serveJobs } from '../../lib/async/job-thread';
import { unpackLayer } from './unpack-layer';

serveJobs(unpackLayer);
