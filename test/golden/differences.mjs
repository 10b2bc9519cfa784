// Where Dhow prints something else than was recorded, and why. Each entry says what to take for alike
// on both sides; the rest of the output must still be the same, or the command counts as unexplained.
//   chance: two runs of one server differ so; the command counts as the same
//   wanted: Dhow does it otherwise, on purpose
//   missing: Dhow does not have it yet

/** The whole output, exit code included. */
const ALL = [[/[\s\S]+/g, '']];

const NOT_SERVED = [
  ...['bindings', 'componentstatuses', 'podtemplates'],
  ...['flowschemas', 'prioritylevelconfigurations'],
  ...['deviceclasses', 'resourceclaims', 'resourceclaimtemplates', 'resourceslices'],
  'volumeattributesclasses',
];
const OWN = [
  ...['connectionreviews', 'podexplanations', 'schedulingdecisions', 'placementreviews'],
  ...['placementplans', 'rebalanceplans', 'decisionreplays', 'schedulercaptures', 'podgroups'],
  'pods/scheduling',
];
const GROUPS = [
  ...['flowcontrol.apiserver.k8s.io', 'resource.k8s.io', '[a-z]+.dhow.dev'],
  'scheduling.x-k8s.io',
];
const OTHER_KINDS = [...NOT_SERVED, ...OWN].join('|');
const OTHER_GROUPS = GROUPS.join('|').replaceAll('.', '\\.');

export const DIFFERENCES = [
  {
    commands: /^\d+-(get-pod|get-managed-fields|get-jsonpath$|watch|describe-pod|exec-nokubelet)/,
    kind: 'chance',
    why: 'of nodes that are as good, one is taken at random',
    alike: [[/\bnode-[123]\b/g, 'NODE']],
  },
  {
    commands: /./,
    kind: 'chance',
    why: 'a hash of digits with one letter last looks like an age',
    alike: [[/(?<=[-=])\d{7,9}[dhmsy]\b/g, 'bcdfghjkl']],
  },
  {
    commands: /-rollout-status/,
    kind: 'chance',
    why: 'how often the state is seen before it is reached',
    alike: [[/^Waiting for .*\n/gm, '']],
  },
  {
    commands: /-describe-node$/,
    kind: 'chance',
    why: 'the lease of the node may be there already',
    alike: [[/^Lease:[\s\S]*?(?=^Conditions:)/gm, '']],
  },
  {
    commands: /-auth-whoami$/,
    kind: 'chance',
    why: 'the hash is that of the certificate',
    alike: [[/X509SHA256=[0-9a-f]{64}/g, 'HASH']],
  },
  {
    commands: /-(version-json|raw-version)$/,
    kind: 'wanted',
    why: 'the server is another program, and its store is read by its own release only',
    alike: [
      [/"(gitCommit|goVersion|compiler)": "[^"]*"/g, '"$1": ""'],
      [/"minCompatibilityMinor": "\d+"/g, '"minCompatibilityMinor": ""'],
    ],
  },
  {
    commands: /-(api-versions|api-resources|api-resources-wide)$/,
    kind: 'missing',
    why: 'these kinds and groups are not served, or are of our own; APIServices and IPAddresses are read only',
    alike: [
      [new RegExp(`^(${OTHER_KINDS}) .*\n`, 'gm'), ''],
      [new RegExp(`^(${OTHER_GROUPS})/v1(alpha1)?\n`, 'gm'), ''],
      [/^(apiservices .* APIService ).* (?=api-extensions)/gm, '$1'],
      [/^(ipaddresses .* IPAddress) +\S+ *$/gm, '$1'],
    ],
  },
  {
    commands: /-raw-apis$/,
    kind: 'missing',
    why: 'these groups are not served, or are of our own',
    alike: [[new RegExp(`\\{"name":"(${OTHER_GROUPS})".*?\\}\\},?`, 'g'), '']],
  },
  {
    commands: /-raw-api$/,
    kind: 'missing',
    why: 'these resources are not served; of nodes only reading is passed on',
    alike: [
      [new RegExp(`\\{"name":"(${OTHER_KINDS})"[^{}]*\\},?`, 'g'), ''],
      [/("name":"nodes\/proxy".*?"verbs":)\[.*?\]/g, '$1[]'],
    ],
  },
  {
    commands: /-raw-openapi-v3$/,
    kind: 'missing',
    why: 'these groups are not served, or are of our own; the documents have hashes of their own',
    alike: [
      [new RegExp(`"apis/(${OTHER_GROUPS})(/v1(alpha1)?)?":\\{[^{}]*\\},?`, 'g'), ''],
      [/hash=[0-9A-F]+/g, 'hash'],
    ],
  },
  {
    commands: /-explain-recursive$/,
    kind: 'missing',
    why: 'the description of the API does not tell fields that are required though they may be empty',
    alike: [[/ +-required-$/gm, '']],
  },
  {
    commands: /-raw-readyz$/,
    kind: 'wanted',
    why: 'what must be well for this server to be ready is its store and its caches',
    alike: [[/^\[\+\](log|etcd|autoregister-completion|poststarthook\/.*) ok\n/gm, '']],
  },
  {
    commands: /-get-cs$/,
    kind: 'wanted',
    why: 'componentstatuses are deprecated, and would tell of processes that are one here',
    alike: ALL,
  },
  {
    commands: /-describe-node$/,
    kind: 'wanted',
    why: 'nobody here goes by the time to live that upstream notes on a node',
    alike: [[/node\.alpha\.kubernetes\.io\/ttl: 0|(?<=Annotations: +)<none>/g, '']],
  },
  {
    commands: /-(logs|exec)-nokubelet$/,
    kind: 'wanted',
    why: 'nodes call the server; the server does not call nodes',
    alike: [
      [/^Error from server: Get "https:.*no such host$/gm, 'NODE'],
      [/^error: Internal error occurred: error sending request: Post "https:.*$/gm, 'NODE'],
      [/^Error from server \(ServiceUnavailable\): node "NODE" is not connected$/gm, 'NODE'],
      [/^Error from server \(ServiceUnavailable\): node "node-\d" is not connected$/gm, 'NODE'],
    ],
  },
  {
    commands: /-(replace|inv-immutable-pod)$/,
    kind: 'wanted',
    why: 'the difference of two structs of Go is left out; path and reason are there',
    alike: [[/^((The|error: ).* is invalid: spec: Forbidden: pod updates [^\n]*)[\s\S]*/gm, '$1']],
  },
  {
    commands: /-inv-immutable-job$/,
    kind: 'wanted',
    why: 'the value is shown as the API writes it, not as a struct of Go',
    alike: [[/(spec\.template: Invalid value: )\{.*\}(?=: )/g, '$1']],
  },
  {
    commands: /-inv-uid-precond$/,
    kind: 'wanted',
    why: "upstream's text tells the key in its store",
    alike: [[/StorageError: invalid object, .*AdditionalErrorMsg: /g, '']],
  },
  {
    commands: /-get-svc-all$/,
    kind: 'wanted',
    why: 'the addresses of nodes are those of a LoadBalancer; the recorded server had no such controller',
    alike: [[/^(lb +LoadBalancer +\S+ +)\S+/gm, '$1']],
  },
  {
    commands: /-create-token$/,
    kind: 'wanted',
    why: 'tokens are signed by an elliptic curve (ES256), not RSA',
    alike: [[/^eyJhbGciOi(JSUzI1NiIs|JFUzI1NiIs)/g, 'HEADER']],
  },
  {
    commands: /-get-leases$/,
    kind: 'wanted',
    why: 'there is one server, which tells its identity to no other',
    alike: [[/^kube-system +apiserver-.*\n/gm, '']],
  },
];

/** `text` with all taken for alike that these differences allow to differ. */
export const withoutDifferences = (text, differences) =>
  differences
    .flatMap(({ alike }) => alike)
    .reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
