import { spawn } from 'node:child_process';
import { isJsonObject, parseJson, stringifyJson } from '../../lib/json';
import { fault, text, type Fields } from './files';

/** What a program gave to show who one is. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface ExecCredentialOptions {
  /** The kubeconfig that names the program, for messages. */
  readonly path: string;
  /** The `exec` of a user. */
  readonly exec: Fields;
  /** Where the credential is for: told to the program that asks by `provideClusterInfo`. */
  readonly cluster: Fields;
  readonly ca: string | undefined;
  /** Ends the program. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Has a program say who the user is, once. Its standard error is the user's, and so is standard input unless
 * it is said never to ask: a login may take a browser and minutes, so there is no deadline but `signal`.
 * Source: client.authentication.k8s.io/v1, ExecCredential. @throws KubeconfigError
 */
export const runExecCredential = async (
  options: ExecCredentialOptions,
): Promise<ExecCredential> => {
  const { path, exec } = options;
  const apiVersion = text(exec, 'apiVersion') ?? '';
  if (!API_VERSIONS.has(apiVersion)) {
    throw fault(
      path,
      `exec.apiVersion: ${stringifyJson(apiVersion)} must be one of ${[...API_VERSIONS].join(', ')}`,
    );
  }
  const isInteractive = mayAsk(path, exec, apiVersion);
  const printed = await outputOf(
    options,
    infoOf(options, apiVersion, isInteractive),
    isInteractive,
  );
  return credentialIn(path, printed, apiVersion);
};

/** @throws KubeconfigError where it must ask and there is nobody. */
const mayAsk = (path: string, exec: Fields, apiVersion: string): boolean => {
  const mode = text(exec, 'interactiveMode') ?? (apiVersion === V1 ? '' : 'IfAvailable');
  const hasTerminal = process.stdin.isTTY;
  switch (mode) {
    case 'Never':
      return false;
    case 'IfAvailable':
      return hasTerminal;
    case 'Always':
      if (hasTerminal) return true;
      throw fault(path, 'exec: the program must ask, and standard input is not a terminal');
    default:
      throw fault(
        path,
        `exec.interactiveMode: ${stringifyJson(mode)} must be Never, IfAvailable or Always`,
      );
  }
};

const infoOf = (
  { exec, cluster, ca }: ExecCredentialOptions,
  apiVersion: string,
  interactive: boolean,
) => {
  const told = {
    server: cluster['server'],
    'tls-server-name': cluster['tls-server-name'],
    'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'],
    'certificate-authority-data': ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
  };
  const isTold = exec['provideClusterInfo'] === true;
  return stringifyJson({
    apiVersion,
    kind: 'ExecCredential',
    spec: { interactive, ...(isTold ? { cluster: told } : {}) },
  });
};

const outputOf = (
  { path, exec, signal }: ExecCredentialOptions,
  info: string,
  isInteractive: boolean,
): Promise<string> => {
  const command = text(exec, 'command');
  if (command === undefined) throw fault(path, 'exec.command: it is missing');
  const hint = text(exec, 'installHint');
  return new Promise((settle, reject) => {
    const fail = (why: string, cause?: unknown) =>
      reject(fault(path, `exec: ${why}${hint === undefined ? '' : `\n\n${hint}`}`, cause));
    const child = spawn(command, stringsIn(exec['args']), {
      env: { ...process.env, ...environmentIn(exec['env']), KUBERNETES_EXEC_INFO: info },
      stdio: [isInteractive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
      ...(signal === undefined ? {} : { signal }),
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
      if (printed.length > OUTPUT_CHARACTERS_MAX) child.kill('SIGKILL');
    });
    child.once('error', (error) => {
      const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
      fail(
        isAbsent ? `executable ${command} not found` : `executable ${command}: ${error.message}`,
        error,
      );
    });
    child.once('close', (code, how) => {
      if (printed.length > OUTPUT_CHARACTERS_MAX) fail(`executable ${command} printed too much`);
      else if (code === 0) settle(printed);
      else fail(`executable ${command} failed with ${how ?? `exit code ${code ?? 0}`}`);
    });
  });
};

const credentialIn = (path: string, printed: string, apiVersion: string): ExecCredential => {
  const refuse = (why: string) => fault(path, `exec: the program's answer ${why}`);
  let answer: unknown;
  try {
    answer = parseJson(printed);
  } catch (error) {
    throw fault(path, "exec: the program's answer is not JSON", error);
  }
  if (!isJsonObject(answer) || answer['kind'] !== 'ExecCredential') {
    throw refuse('is no ExecCredential');
  }
  if (answer['apiVersion'] !== apiVersion) {
    throw refuse(`has apiVersion ${stringifyJson(answer['apiVersion'])}, and not ${apiVersion}`);
  }
  const status = isJsonObject(answer['status']) ? answer['status'] : {};
  const token = text(status, 'token');
  const cert = text(status, 'clientCertificateData');
  const key = text(status, 'clientKeyData');
  if ((cert === undefined) !== (key === undefined)) {
    throw refuse('has one of clientCertificateData and clientKeyData without the other');
  }
  if (token === undefined && cert === undefined)
    throw refuse('has neither a token nor a certificate');
  return { token, cert, key };
};

const stringsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];

const environmentIn = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (Array.isArray(value) ? value : []).flatMap((item: unknown) => {
      const name = isJsonObject(item) ? text(item, 'name') : undefined;
      return isJsonObject(item) && name !== undefined
        ? [[name, text(item, 'value') ?? ''] as const]
        : [];
    }),
  );

const V1 = 'client.authentication.k8s.io/v1';
const API_VERSIONS: ReadonlySet<string> = new Set([V1, 'client.authentication.k8s.io/v1beta1']);
const OUTPUT_CHARACTERS_MAX = 1024 * 1024;
