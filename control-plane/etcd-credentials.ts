import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { describeError } from '../lib/log';
import type { ServerConfig } from './config';

type EtcdConfig = Pick<
  ServerConfig,
  'etcdEndpoints' | 'etcdCaFile' | 'etcdCertFile' | 'etcdKeyFile'
>;

/**
 * By which an etcd that others run is spoken to; undefined: in plain text. The files are read once, as the server starts.
 * @throws Error that names the flag
 */
export const etcdCredentialsOf = async ({
  etcdEndpoints,
  etcdCaFile,
  etcdCertFile,
  etcdKeyFile,
}: EtcdConfig): Promise<ChannelCredentials | undefined> => {
  if (etcdCaFile === undefined) {
    const alone = etcdCertFile === undefined ? etcdKeyFile && 'key' : 'cert';
    if (alone !== undefined && alone !== '')
      throw new Error(`--etcd-${alone}-file without --etcd-ca-file: who vouches for etcd?`);
    return undefined;
  }
  if (etcdEndpoints.length === 0)
    throw new Error('--etcd-ca-file is for an etcd of --etcd-endpoint');
  if ((etcdCertFile === undefined) !== (etcdKeyFile === undefined))
    throw new Error('--etcd-cert-file and --etcd-key-file are given together, or neither');
  const ca = await read('ca', etcdCaFile);
  const cert = etcdCertFile === undefined ? null : await read('cert', etcdCertFile);
  const key = etcdKeyFile === undefined ? null : await read('key', etcdKeyFile);
  check('--etcd-ca-file', () => new X509Certificate(ca));
  if (cert !== null && key !== null)
    check('--etcd-cert-file and --etcd-key-file', () => createSecureContext({ cert, key }));
  return credentials.createSsl(ca, key, cert);
};

const read = async (which: 'ca' | 'cert' | 'key', path: string): Promise<Buffer> => {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`--etcd-${which}-file: ${describeError(error)}`, { cause: error });
  }
};

/** Else each call would fail, later, in words of OpenSSL. */
const check = (flags: string, use: () => unknown): void => {
  try {
    use();
  } catch (error) {
    throw new Error(`${flags}: not PEM that can be used: ${describeError(error)}`, {
      cause: error,
    });
  }
};
