import { Duplex } from 'node:stream';
import { isNativeError } from 'node:util/types';
import type { PortConnection } from '../../../client/node-connections';

/** A connection to a pod's port as the stream that protocols of Node run on. */
export class ConnectionStream extends Duplex {
  private readonly output: AsyncIterator<Uint8Array>;

  constructor(private readonly connection: PortConnection) {
    super();
    this.output = connection.output[Symbol.asyncIterator]();
  }

  override _read(): void {
    this.output.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: unknown) => this.destroy(isNativeError(error) ? error : new Error(String(error))),
    );
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.connection.write(chunk).then(() => done(), done);
  }

  override _final(done: () => void): void {
    this.connection.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.connection[Symbol.asyncDispose]().then(() => done(error), done);
  }
}
