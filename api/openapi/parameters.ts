/** What operations take besides a body. */

const queryParameter = (name: string, type: string, description: string): object => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});

const pathParameter = (name: string, description: string): object => ({
  name,
  in: 'path',
  description,
  required: true,
  schema: { type: 'string', uniqueItems: true },
});

export const NAME_PARAMETER = pathParameter('name', 'The name of the object.');
export const NAMESPACE_PARAMETER = pathParameter('namespace', 'The namespace of the object.');
export const PRETTY_PARAMETER = queryParameter(
  'pretty',
  'string',
  "If 'true', the answer is indented for people; long lists are sent as they are.",
);

const DRY_RUN = queryParameter('dryRun', 'string', 'All: nothing is stored.');

export const WRITE_PARAMETERS: readonly object[] = [
  DRY_RUN,
  queryParameter('fieldManager', 'string', 'Who makes the change.'),
  queryParameter(
    'fieldValidation',
    'string',
    'What happens to unknown and repeated fields: Ignore, Warn or Strict.',
  ),
];

export const PATCH_PARAMETERS: readonly object[] = [
  ...WRITE_PARAMETERS,
  queryParameter('force', 'boolean', 'An apply takes over fields that others own.'),
];

export const LIST_PARAMETERS: readonly object[] = [
  queryParameter('allowWatchBookmarks', 'boolean', 'A watch may tell how far it has come.'),
  queryParameter('continue', 'string', 'Where the next page begins, as the last one said.'),
  queryParameter('fieldSelector', 'string', 'Which objects, by their fields.'),
  queryParameter('labelSelector', 'string', 'Which objects, by their labels.'),
  queryParameter('limit', 'integer', 'How many objects a page holds at most.'),
  queryParameter('resourceVersion', 'string', 'How new the answer must be.'),
  queryParameter('resourceVersionMatch', 'string', 'Exact or NotOlderThan.'),
  queryParameter(
    'sendInitialEvents',
    'boolean',
    'A watch begins with all present objects, and tells when it has sent them.',
  ),
  queryParameter('timeoutSeconds', 'integer', 'How long a list or a watch may last.'),
  queryParameter('watch', 'boolean', 'Changes as they come, instead of a list.'),
];

export const DELETE_PARAMETERS: readonly object[] = [
  DRY_RUN,
  queryParameter('gracePeriodSeconds', 'integer', 'How long the object may take to end.'),
  queryParameter(
    'ignoreStoreReadErrorWithClusterBreakingPotential',
    'boolean',
    'Refused when true: nothing is deleted unread.',
  ),
  queryParameter('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  queryParameter('propagationPolicy', 'string', 'Orphan, Background or Foreground.'),
];

export const LOG_PARAMETERS: readonly object[] = [
  queryParameter('container', 'string', 'Whose log it is; may be left out if there is one only.'),
  queryParameter('follow', 'boolean', 'The log as it grows.'),
  queryParameter('limitBytes', 'integer', 'The most bytes to be sent.'),
  queryParameter('previous', 'boolean', 'Of the container before the last restart.'),
  queryParameter('sinceSeconds', 'integer', 'Only what is younger than this.'),
  queryParameter('sinceTime', 'string', 'Only what is younger than this time.'),
  queryParameter('tailLines', 'integer', 'Only so many of the last lines.'),
  queryParameter('timestamps', 'boolean', 'Each line begins with its time.'),
];

const CONTAINER = queryParameter('container', 'string', 'Which container of the pod.');
const STREAMS: readonly object[] = ['stdin', 'stdout', 'stderr', 'tty'].map((name) =>
  queryParameter(name, 'boolean', `Is ${name} wanted?`),
);

/** Of what upgrades to a stream, or is passed on. */
export const CONNECT_PARAMETERS: Readonly<Record<string, readonly object[] | undefined>> = {
  exec: [queryParameter('command', 'string', 'What to run, one word each.'), CONTAINER, ...STREAMS],
  attach: [CONTAINER, ...STREAMS],
  portforward: [queryParameter('ports', 'integer', 'The ports to forward.')],
  proxy: [],
};
