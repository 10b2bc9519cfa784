import { createServer } from 'node:http';

/** Answers whatever it is asked: `backend.js PORT`. */
const server = createServer((_request, response) => response.end(BODY));
const BODY = 'x'.repeat(512);

server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
