import { all, kept, refused, shown, tests, warned, type Effects } from './effect';

const ENDS = tests('node-agent/pods/pod-ends.test.ts');
const FIELDS = tests('node-agent/containers/container-fields.test.ts');
const HOOKS = tests('node-agent/pods/pod-hooks.test.ts');
const PROBES = tests('test/integration/probes.test.ts');
const RESTARTS = tests('node-agent/plan/plan.test.ts');
const RUNNER = tests('node-agent/probes/probe-runner.test.ts');
const SPEC = tests('node-agent/containers/container-spec.test.ts');
const STREAMS = tests('test/integration/runtime-streams.test.ts');
const WORKER = tests('node-agent/pods/pod-worker.test.ts');

const RIGHTS = shown(FIELDS('gives a container the rights that it asks for, and no others'));
const VARIABLES = shown(FIELDS('takes variables from all that they can come from'));
const HTTP = shown(PROBES('takes 200 to 399 for success, and sends the headers asked for'));
const MOUNTS = shown(FIELDS('mounts a volume as it is asked to'));
const DEVICES = shown(
  FIELDS('gives a container the devices of its volumes'),
  'test/e2e/block-volumes.test.ts: keeps what a pod has written to its device for the next one',
);
const STREAM = shown(FIELDS('runs a container where and on what it says'));
const ARGUMENTS = shown(SPEC('takes command and arguments from %j'));
const AMOUNTS = shown(SPEC('turns requests and limits into cgroup values'));
const RESIZE = shown(
  'node-agent/plan/resize.test.ts: resizes cpu by the policy %j: %s',
  'node-agent/pods/pod-resize.test.ts: resizes a running container and its pod',
  'node-agent/pods/pod-resize.test.ts: restarts a container whose policy asks for it',
);
const PORTS = shown('api/pods.test.ts: lets one port serve several addresses and protocols');
const THRESHOLDS = shown(RUNNER('believes a probe after as many answers as its thresholds say'));

export const CONTAINER_EFFECTS: Effects = {
  Container: {
    ...all(['args', 'command'], ARGUMENTS),
    env: shown(SPEC('puts the pod over the image in the environment')),
    envFrom: VARIABLES,
    image: shown(WORKER('runs a pod and tells its story in events')),
    imagePullPolicy: shown('node-agent/images/image-puller.test.ts: pulls by the policy %s'),
    lifecycle: shown(HOOKS('ends a container whose postStart hook fails')),
    livenessProbe: shown(WORKER('restarts a container whose liveness probe fails')),
    name: shown(WORKER('runs init containers in order')),
    ports: PORTS,
    readinessProbe: shown(WORKER('is ready only while its readiness probe says so')),
    resizePolicy: RESIZE,
    resources: { ...AMOUNTS, shown: [...(AMOUNTS.shown ?? []), ...(RESIZE.shown ?? [])] },
    restartPolicy: shown(
      WORKER('runs init containers in order, keeps sidecars, and completes'),
      RESTARTS('restarts a container by its own policy'),
    ),
    restartPolicyRules: {
      ...refused([{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }]),
      ...shown(RESTARTS('restarts a container by the first of its rules that matches')),
    },
    securityContext: RIGHTS,
    startupProbe: shown(ENDS('gives a container whose %s fails the grace of that probe')),
    stdin: STREAM,
    stdinOnce: shown(
      'node-agent/streams/stream-server.test.ts: ends the stdin of a container %j',
      STREAMS('ends stdin with its client when that %s'),
    ),
    terminationMessagePath: shown(FIELDS('lets a container leave its last words where it says')),
    terminationMessagePolicy: shown(ENDS('takes the log for last words by the policy %s')),
    tty: STREAM,
    volumeDevices: {
      ...refused([{ name: 'v', devicePath: '/dev/x' }]),
      ...DEVICES,
    },
    volumeMounts: MOUNTS,
    workingDir: STREAM,
  },
  ContainerResizePolicy: all(['resourceName', 'restartPolicy'], RESIZE),
  ContainerRestartRule: all(
    ['action', 'exitCodes'],
    shown(RESTARTS('restarts a container by the first of its rules that matches')),
  ),
  ContainerRestartRuleOnExitCodes: all(
    ['operator', 'values'],
    shown(RESTARTS('restarts a container by the first of its rules that matches')),
  ),
  EphemeralContainer: {
    ...all(
      [
        ...['args', 'command', 'env', 'envFrom', 'image', 'imagePullPolicy', 'name', 'tty'],
        ...['securityContext', 'stdin', 'stdinOnce', 'workingDir'],
        ...['volumeDevices', 'volumeMounts'],
        ...['terminationMessagePath', 'terminationMessagePolicy'],
      ],
      // They are started as all containers are.
      shown(
        'node-agent/pods/pod-updates.test.ts: runs once, beside the container that it looks into',
        'api/validation/ephemeral-containers.test.ts: are let in with all that a look',
      ),
    ),
    targetContainerName: shown(
      'test/integration/runtime-entry.test.ts: sees them and is seen, and ends with them',
      'node-agent/pods/pod-updates.test.ts: waits for the container that it is to look into',
    ),
    ...all(
      [
        ...['lifecycle', 'livenessProbe', 'ports', 'readinessProbe', 'resizePolicy', 'resources'],
        ...['restartPolicy', 'restartPolicyRules', 'startupProbe'],
      ],
      kept('refused, as upstream refuses it'),
    ),
  },
  SecurityContext: {
    ...all(['allowPrivilegeEscalation', 'privileged', 'readOnlyRootFilesystem'], RIGHTS),
    appArmorProfile: {
      ...refused({ type: 'RuntimeDefault' }, { type: 'Localhost', localhostProfile: 'p' }),
      ...kept('Unconfined is what all containers are'),
    },
    capabilities: shown(SPEC('adds and drops capabilities on the default set')),
    procMount: {
      ...refused('Unmasked'),
      ...shown('test/integration/runtime-isolation.test.ts: masks and protects what /proc tells'),
    },
    ...all(
      ['runAsGroup', 'runAsUser', 'runAsNonRoot'],
      shown(FIELDS('runs as the user of the container before that of the pod')),
    ),
    seLinuxOptions: refused({ level: 's0' }, { type: 't' }, { user: 'u' }, { role: 'r' }),
    seccompProfile: shown(FIELDS('filters system calls by the profile of the container')),
    windowsOptions: refused(
      { hostProcess: true },
      { runAsUserName: 'u' },
      { gmsaCredentialSpec: 's' },
      { gmsaCredentialSpecName: 's' },
    ),
  },
  Capabilities: all(['add', 'drop'], shown(SPEC('adds and drops capabilities on the default set'))),
  ResourceRequirements: {
    ...all(['limits', 'requests'], AMOUNTS),
    claims: warned([{ name: 'c' }]),
  },
  ContainerPort: {
    containerPort: PORTS,
    hostIP: PORTS,
    hostPort: shown('node-agent/pods/pod-updates.test.ts: leads the host ports of a pod to it'),
    name: shown(PROBES('finds a port by its name')),
    protocol: PORTS,
  },
  EnvVar: all(
    ['name', 'value', 'valueFrom'],
    shown(SPEC('puts the pod over the image in the environment')),
  ),
  EnvVarSource: {
    ...all(['configMapKeyRef', 'fieldRef', 'resourceFieldRef', 'secretKeyRef'], VARIABLES),
    fileKeyRef: warned({ volumeName: 'v', path: 'p', key: 'k' }),
  },
  EnvFromSource: all(['configMapRef', 'prefix', 'secretRef'], VARIABLES),
  ConfigMapEnvSource: all(['name', 'optional'], VARIABLES),
  SecretEnvSource: all(['name', 'optional'], VARIABLES),
  ConfigMapKeySelector: all(['key', 'name', 'optional'], VARIABLES),
  SecretKeySelector: all(['key', 'name', 'optional'], VARIABLES),
  ObjectFieldSelector: {
    apiVersion: shown('api/validation/references.test.ts: takes of the pod only what there is'),
    fieldPath: VARIABLES,
  },
  ResourceFieldSelector: all(['containerName', 'divisor', 'resource'], VARIABLES),
  VolumeDevice: all(['devicePath', 'name'], DEVICES),
  VolumeMount: {
    ...all(['mountPath', 'mountPropagation', 'name', 'readOnly', 'subPath', 'subPathExpr'], MOUNTS),
    recursiveReadOnly: shown(
      'test/integration/runtime-mounts.test.ts: makes what is read-only so in depth',
      'api/validation/references.test.ts: mounts read-only in depth as upstream lets one ask',
    ),
  },
  Lifecycle: {
    postStart: shown(HOOKS('ends a container whose postStart hook fails')),
    preStop: shown(HOOKS('waits before SIGTERM as long as a sleep hook says')),
    stopSignal: shown(
      SPEC('prefers the stop signal that the container names to that of its image'),
    ),
  },
  LifecycleHandler: {
    exec: shown(HOOKS('ends a container whose postStart hook fails')),
    httpGet: HTTP,
    sleep: shown(HOOKS('waits before SIGTERM as long as a sleep hook says')),
    tcpSocket: warned({ port: 80 }),
  },
  SleepAction: { seconds: shown(HOOKS('waits before SIGTERM as long as a sleep hook says')) },
  Probe: {
    exec: shown(WORKER('restarts a container whose liveness probe fails')),
    ...all(['failureThreshold', 'periodSeconds', 'successThreshold'], THRESHOLDS),
    grpc: shown(PROBES('asks for the service and believes SERVING alone')),
    httpGet: HTTP,
    initialDelaySeconds: shown(RUNNER('counts the initial delay from the start')),
    tcpSocket: shown(PROBES('opens a TCP connection, to the host that it names')),
    terminationGracePeriodSeconds: shown(
      ENDS('gives a container whose %s fails the grace of that probe'),
    ),
    timeoutSeconds: shown(PROBES('fails in time when nobody answers, or nobody is there')),
  },
  ExecAction: { command: shown(HOOKS('ends a container whose postStart hook fails')) },
  HTTPGetAction: {
    ...all(['httpHeaders', 'path'], HTTP),
    ...all(['host', 'scheme'], shown(PROBES('asks the host and by the scheme that it names'))),
    port: shown(PROBES('finds a port by its name')),
  },
  HTTPHeader: all(['name', 'value'], HTTP),
  TCPSocketAction: all(
    ['host', 'port'],
    shown(PROBES('opens a TCP connection, to the host that it names')),
  ),
  GRPCAction: all(
    ['port', 'service'],
    shown(PROBES('asks for the service and believes SERVING alone')),
  ),
};
