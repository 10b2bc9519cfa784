import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { ApiError } from '../../api/errors';
import { MessageWriter, messagesOf } from '../../lib/async/message-stream';
import { onAbort } from '../../lib/async/on-abort';
import { systemClock, type Clock } from '../../lib/clock';
import { parseJson, stringifyJson } from '../../lib/json';
import type { AskRequest, AskResponse, PeerServiceClient } from '../../proto/gen/dhow/peer/v1/peer';
import { grpcError } from './node-identity';

/** What a server answers others. @throws ApiError */
export type Answer = (name: string, argument: unknown, signal: AbortSignal) => Promise<unknown>;

export type AskCall = ServerWritableStream<AskRequest, AskResponse>;

/** Answers one question. */
export const answerCall = async (call: AskCall, answer: Answer, clock: Clock): Promise<void> => {
  const gone = new AbortController();
  for (const event of ['cancelled', 'close']) call.once(event, () => gone.abort());
  const writer = new MessageWriter<AskResponse>(call, clock, gone.signal);
  let text: Buffer;
  try {
    const { question, argument } = call.request;
    const answered = await answer(question, parseJson(argument.toString('utf8')), gone.signal);
    text = Buffer.from(stringifyJson(answered));
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!(error instanceof ApiError)) throw grpcError(status.INTERNAL, 'the question has failed');
    const { reason, message } = error;
    await writer.write({ message: { $case: 'refused', value: { reason, message } } });
    return;
  }
  for (let at = 0; at < text.length; at += PIECE_BYTES) {
    const value = text.subarray(at, at + PIECE_BYTES);
    await writer.write({ message: { $case: 'piece', value } });
  }
};

/** @throws ApiError */
export const askServer = async (
  client: PeerServiceClient,
  question: string,
  argument: object,
  signal: AbortSignal,
): Promise<unknown> => {
  const request = { question, argument: Buffer.from(stringifyJson(argument)) };
  const call = client.ask(request, { deadline: systemClock.now() + ANSWER_MS });
  const undo = onAbort(signal, () => call.cancel());
  const messages = messagesOf<AskResponse>(call);
  const pieces: Uint8Array[] = [];
  let byteCount = 0;
  try {
    for (;;) {
      const next = await messages.next();
      if (next.done === true) break;
      const { message } = next.value;
      if (message?.$case === 'refused') throw ApiError.fromStatus({ ...message.value });
      if (message?.$case !== 'piece') continue;
      byteCount += message.value.length;
      if (byteCount > ANSWER_BYTES_MAX)
        throw new ApiError('InternalError', 'the server that leads says more than can be taken');
      pieces.push(message.value);
    }
    return parseJson(Buffer.concat(pieces).toString('utf8'));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ApiError) throw error;
    const why = 'the server that leads cannot be asked';
    throw new ApiError('ServiceUnavailable', why, { cause: error });
  } finally {
    undo();
    call.cancel();
  }
};

const PIECE_BYTES = 256 * 1024;
const ANSWER_MS = 60_000;
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
