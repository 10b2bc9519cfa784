import type { Socket } from 'node:net';

/**
 * Has a connection's requests read as events from now on, if an answer on it waits for its reader. Node
 * pauses its parser when a request comes before that answer is out; as long as the parser takes its
 * bytes straight from TLS these keep coming, and the connection ends with `HPE_PAUSED` (Node 20).
 * Reading as events heeds the pause, and costs a little more: most connections never need it.
 */
export const readSteadily = (socket: Socket | null | undefined): void => {
  if (socket?.writableNeedDrain !== true || steady.has(socket)) return;
  steady.add(socket);
  // Somebody else who listens makes the parser let go of the handle.
  socket.on('data', () => undefined);
};

const steady = new WeakSet<Socket>();
