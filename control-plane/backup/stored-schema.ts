import { EtcdConnection } from '../store/etcd/connection';
import { readSchema, type StoredSchema } from '../store/etcd/store-schema';
import { etcdOf } from './save';

export type { StoredSchema } from '../store/etcd/store-schema';

/** How the store of a server's data folder is written, asked of the etcd that runs for it. @throws Error */
export const storedSchemaOf = async (
  dataDir: string,
  signal: AbortSignal,
): Promise<StoredSchema> => {
  using connection = new EtcdConnection({ endpoints: [await etcdOf(dataDir)] });
  return await readSchema(connection, signal);
};
