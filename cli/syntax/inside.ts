import type { Command } from 'commander';
import type { AttachOptions } from '../commands/attach';
import type { CopyOptions } from '../commands/cp';
import type { ExecOptions } from '../commands/exec';
import type { PortForwardOptions } from '../commands/port-forward';
import type { RunOptions } from '../commands/run';
import { collect, wholeNumber } from '../program';
import { changing, examples, inNamespace, lazily, repeated, type Connected } from './command';

export const defineExec = (program: Command, connected: Connected): void => {
  connected<[string, string[], ExecOptions]>(
    inNamespace(
      program
        .command('exec <pod> [command...]')
        .description('Run a command in a container of POD, or of a pod of KIND/NAME')
        .usage('[options] <pod> -- <command...>')
        .option('-c, --container <name>', 'which container; default the first')
        .option('-i, --stdin', 'pass stdin on')
        .option('-t, --tty', 'with a terminal')
        .option('-q, --quiet', 'print only what the command does')
        .addHelpText(
          'after',
          examples(
            'dhow exec web-1 -- cat /etc/hosts         run one command',
            'dhow exec -it web-1 -- sh                 look around',
            'dhow exec -i web-1 -- tar xf - < app.tar  pass a file in',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/exec.js')).exec),
  );
};

export const defineAttach = (program: Command, connected: Connected): void => {
  connected<[string, AttachOptions]>(
    inNamespace(
      program
        .command('attach <pod>')
        .description('Join the main process of a container of POD, or of a pod of KIND/NAME')
        .option('-c, --container <name>', 'which container; default the first')
        .option('-i, --stdin', 'pass stdin on')
        .option('-t, --tty', 'with a terminal')
        .option('-q, --quiet', 'print only what the process does')
        .option('--pod-running-timeout <duration>', 'how long to wait until it runs: 1m')
        .addHelpText(
          'after',
          examples(
            'dhow attach web-1            see what it prints from now on',
            'dhow attach -it shell        talk to a process that reads its stdin',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/attach.js')).attach),
  );
};

export const defineRun = (program: Command, connected: Connected): void => {
  connected<[string, string[], RunOptions]>(
    changing(inNamespace(program.command('run <name> [words...]')))
      .usage('[options] NAME --image=IMAGE [-- WORDS...]')
      .description('Run an image in a pod')
      .option('--image <image>', 'the image; required')
      .option('--image-pull-policy <policy>', 'Always, IfNotPresent or Never')
      .option('--command', 'the words are the command, not its arguments')
      .option('--env <name=value>', 'an environment variable', repeated)
      .option('--port <port>', 'a port that it serves', wholeNumber('--port'))
      .option('-l, --labels <key=value>', 'its labels; default run=NAME', collect)
      .option('--annotations <key=value>', 'its annotations', repeated)
      .option('--restart <policy>', 'Always, OnFailure or Never')
      .option('--privileged', 'with all rights on its node')
      .option('--overrides <json>', 'further fields of the pod')
      .option('--override-type <type>', 'how they are put there: merge, strategic or json')
      .option('--attach', 'show what it prints, and end with its exit code')
      .option('-i, --stdin', 'pass stdin on')
      .option('-t, --tty', 'with a terminal')
      .option('--leave-stdin-open', 'its stdin does not end with ours')
      .option('--rm', 'delete it when it, or we, end')
      .option('--grace-period <seconds>', 'how long it may take to end, with --rm')
      .option('--force', 'end it without grace, with --rm')
      .option('--wait', 'wait until it is gone, with --rm')
      .option('--pod-running-timeout <duration>', 'how long to wait until it runs: 1m')
      .option('-q, --quiet', 'print only what the container does')
      .option('--save-config', 'keep what was sent in the object, for a later apply')
      .addHelpText(
        'after',
        examples(
          'dhow run web --image=nginx:1.28 --port=80',
          'dhow run -it --rm shell --image=busybox:1.36 --restart=Never -- sh',
          'dhow run job --image=busybox:1.36 --restart=Never --attach --rm --command -- date',
          'dhow run web --image=nginx:1.28 --dry-run=client -o yaml > web.yaml',
        ),
      ),
    lazily(async () => (await import('../commands/run.js')).run),
  );
};

export const definePortForward = (program: Command, connected: Connected): void => {
  connected<[string, string[], PortForwardOptions]>(
    inNamespace(
      program
        .command('port-forward <pod> [ports...]')
        .usage('[options] POD | KIND/NAME [LOCAL:]REMOTE...')
        .description('Make ports of this machine lead to ports of POD, or of a pod of KIND/NAME')
        .option('--address <addresses>', 'where to listen; default localhost', collect)
        .option('--pod-running-timeout <duration>', 'how long to wait until it runs: 1m')
        .addHelpText(
          'after',
          examples(
            'dhow port-forward pod/web-1 8080:80     http://localhost:8080 is its port 80',
            'dhow port-forward deploy/web 5000 6000  two, by the same numbers',
            'dhow port-forward svc/web 8080:80       where the port 80 of a service leads to',
            'dhow port-forward web-1 :http           any free port, to the one named http',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/port-forward.js')).portForward),
  );
};

export const defineCp = (program: Command, connected: Connected): void => {
  connected<[string, string, CopyOptions]>(
    inNamespace(
      program
        .command('cp <from> <to>')
        .usage('[options] [[NAMESPACE/]POD:]PATH [[NAMESPACE/]POD:]PATH')
        .description('Copy a file or a folder to a container, or from one; the image must have tar')
        .option('-c, --container <name>', 'which container; default the first')
        .option('--no-preserve', 'not with the modes of the files')
        .option(
          '--max-bytes <n>',
          'take no more than this from a container',
          wholeNumber('--max-bytes'),
        )
        .addHelpText(
          'after',
          examples(
            'dhow cp app.conf web-1:/etc/app.conf    to a container',
            'dhow cp team-a/web-1:/var/log logs      from one, a folder',
            'dhow cp web-1:/tmp/dump . -c proxy      from another of its containers',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/cp.js')).cp),
  );
};
