import { serveJobs } from '../../lib/async/job-thread';
import { measure } from './meter';

serveJobs(measure);
