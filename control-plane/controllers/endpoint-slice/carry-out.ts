import { ENDPOINT_SLICES } from '../../../api/resources';
import { nameOf, uidOf, type EndpointSlice } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { Informer } from '../../../client/informer';
import type { SlicePlan } from './plan';

/** Writes what was planned, one slice after the other, and lets the informer know at once. */
export const carryOut = async (
  { create, update, remove }: SlicePlan,
  { client, slices }: { readonly client: ApiClient; readonly slices: Informer<EndpointSlice> },
  signal: AbortSignal,
): Promise<void> => {
  for (const slice of create)
    slices.noteWritten(await client.create(ENDPOINT_SLICES, slice, {}, signal));
  for (const slice of update)
    slices.noteWritten(await client.update(ENDPOINT_SLICES, slice, {}, signal));
  for (const slice of remove) {
    const options = { preconditions: { uid: uidOf(slice) } };
    await client.delete(ENDPOINT_SLICES, nameOf(slice), options, signal);
  }
};
