import { gunzipSync } from 'node:zlib';
import type { ZodError } from 'zod';
import { describeError } from '../../../lib/describe-error';
import { parseJson } from '../../../lib/json';
import { captureForm, captureHead, CAPTURE_BYTES_MAX, FORMAT_VERSION } from './format';
import { restored, type RestoredCapture } from './restore';
import { CaptureError, fieldOf } from './problem';

/** A bundle, packed as it was written. Anybody may have made it. @throws CaptureError that names the field */
export const readCapture = (packed: Uint8Array): RestoredCapture => {
  const value = parsed(unpacked(packed));
  const head = captureHead.safeParse(value);
  if (!head.success) throw invalid(head.error);
  const { formatVersion, dhowVersion } = head.data.status;
  if (formatVersion !== FORMAT_VERSION)
    throw new CaptureError(
      `status.formatVersion: ${formatVersion} is not known, only ${FORMAT_VERSION}: it was written by Dhow ${dhowVersion}`,
    );
  const form = captureForm.safeParse(value);
  if (!form.success) throw invalid(form.error);
  return restored(form.data.status);
};

const unpacked = (packed: Uint8Array): Uint8Array => {
  try {
    return gunzipSync(packed, { maxOutputLength: CAPTURE_BYTES_MAX });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new CaptureError(`it is larger than ${CAPTURE_BYTES_MAX / 2 ** 20} MiB unpacked`);
    throw new CaptureError(`it is not packed by gzip, or not whole: ${describeError(error)}`);
  }
};

const parsed = (text: Uint8Array): unknown => {
  try {
    return parseJson(text);
  } catch (error) {
    throw new CaptureError(`it holds no JSON: ${describeError(error)}`);
  }
};

const invalid = ({ issues: [issue] }: ZodError): CaptureError =>
  new CaptureError(`${fieldOf(issue?.path ?? [])}: ${issue?.message ?? 'is wrong'}`);
