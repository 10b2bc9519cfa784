import { get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Result, TestCluster } from './cluster';

export type Tool = 'kubectl' | 'dhow';

export interface Stream {
  readonly answers: readonly string[];
  /** One for each request that was not answered with 200. */
  readonly losses: readonly string[];
}

/** A set of objects in one file of test/e2e/stacks, brought to a cluster as its user would. */
export class Stack {
  private readonly file: string;
  private before: readonly string[] = [];

  constructor(
    private readonly cluster: TestCluster,
    name: string,
    private readonly tool: Tool,
  ) {
    this.file = join(__dirname, '..', 'stacks', `${name}.yaml`);
  }

  /** One apply, of which nobody is warned. */
  async apply(): Promise<void> {
    this.before = await this.objects();
    const { stderr } = await this.run('apply', '-f', this.file);
    if (stderr !== '') throw new Error(`apply: ${stderr}`);
  }

  /** Until all Deployments of a namespace are available. */
  async isAvailable(namespace = 'default'): Promise<void> {
    const wait = ['wait', 'deploy', '--all', '--for=condition=Available', '--timeout=85s'];
    await this.run(...wait, '-n', namespace);
  }

  /** Deletes it by its file. Gives what is there that was not there before, in the end. */
  async delete(): Promise<readonly string[]> {
    // What is in a namespace may go with it before its own turn has come.
    await this.run('delete', '-f', this.file, '--ignore-not-found');
    await this.run('delete', 'pvc', '--all');
    const left = async () =>
      (await this.objects()).filter((object) => !this.before.includes(object));
    try {
      await this.cluster.until('nothing left', async () => (await left()).length === 0);
      return [];
    } catch {
      return left();
    }
  }

  async run(...args: readonly string[]): Promise<Result> {
    const result = await this.cluster[this.tool](...args);
    const { code, stdout, stderr } = result;
    if (code !== 0) throw new Error(`${this.tool} ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
    return result;
  }

  /** What `http://NODE:PORT/PATH` answers; a node's first address is taken. */
  async ask(node: string, port: number, path: string): Promise<string> {
    return request(await this.addressOf(node), port, path);
  }

  /** The same until it answers so, or the time is over; gives what it answered last. */
  async askUntil(
    node: string,
    port: number,
    path: string,
    isWanted: (answer: string) => boolean,
  ): Promise<string> {
    const address = await this.addressOf(node);
    let last = '';
    try {
      await this.cluster.until(`the answer of ${path}`, async () => {
        last = await request(address, port, path).catch(String);
        return isWanted(last);
      });
    } catch (error) {
      throw new Error(`the last answer of ${path}: ${last}`, { cause: error });
    }
    return last;
  }

  /** Asks on and on, one request after the other, until the work is done. */
  async askDuring(
    work: Promise<unknown>,
    node: string,
    port: number,
    path: string,
  ): Promise<Stream> {
    const address = await this.addressOf(node);
    const [answers, losses]: [string[], string[]] = [[], []];
    const state = { isDone: false };
    const ended = work.finally(() => (state.isDone = true));
    // The work is waited for below; until then its failure is nobody's.
    ended.catch(() => undefined);
    while (!state.isDone || answers.length + losses.length < FEWEST_REQUESTS)
      await request(address, port, path).then(
        (answer) => answers.push(answer),
        (error: unknown) => losses.push(String(error)),
      );
    await ended;
    return { answers, losses };
  }

  private async addressOf(node: string): Promise<string> {
    const path = 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}';
    return (await this.run('get', 'node', node, '-o', path)).stdout;
  }

  private async objects(): Promise<readonly string[]> {
    const { stdout } = await this.run('get', KINDS, '-A', '-o', 'name');
    return stdout.split('\n').filter((name) => name !== '');
  }
}

const request = (host: string, port: number, path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = { host, port, path, agent: false, timeout: REQUEST_MS };
    const asked = get(options, (answer) => {
      text(answer).then((body) => {
        if (answer.statusCode === 200) resolve(body);
        else reject(new Error(`${path}: ${answer.statusCode} ${body}`));
      }, reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`${path}: no answer`)));
    asked.on('error', reject);
  });

const KINDS =
  'ns,deploy,rs,sts,ds,jobs,cj,hpa,pods,svc,endpoints,endpointslices,netpol,pdb,cm,pvc,pv';
const REQUEST_MS = 20_000;
const FEWEST_REQUESTS = 20;
