import type { KeyPairPem } from './certificates';
import { replaceFile } from '../../lib/files';

export interface KubeconfigOptions {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly caCertificate: string;
  readonly client: KeyPairPem;
  readonly clusterName?: string;
  readonly userName?: string;
}

/** A kubeconfig with everything embedded, as YAML (JSON is YAML, and needs no library to write). */
export const formatKubeconfig = ({
  server,
  caCertificate,
  client,
  clusterName = 'dhow',
  userName = 'admin',
}: KubeconfigOptions): string => {
  const context = `${userName}@${clusterName}`;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: clusterName,
        cluster: { server, 'certificate-authority-data': base64(caCertificate) },
      },
    ],
    users: [
      {
        name: userName,
        user: {
          'client-certificate-data': base64(client.certificate),
          'client-key-data': base64(client.key),
        },
      },
    ],
    contexts: [{ name: context, context: { cluster: clusterName, user: userName } }],
    'current-context': context,
  };
  return JSON.stringify(config, undefined, 2) + '\n';
};

/** Writes it with mode 0600, whatever the umask. */
export const writeKubeconfig = (path: string, options: KubeconfigOptions): Promise<void> =>
  replaceFile(path, formatKubeconfig(options));

const base64 = (text: string): string => Buffer.from(text).toString('base64');
