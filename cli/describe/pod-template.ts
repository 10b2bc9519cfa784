import type { Container, PodTemplate } from '../../api/types';
import { printable } from '../output/terminal';
import { tabbed } from './tabbed';

/** A pod template as kubectl shows one of a revision: tabs, and `<none>` for what is not there. */
export const templateText = (template: NonNullable<PodTemplate>): string =>
  templateLines(template)
    .map((line) => `${printable(line)}\n`)
    .join('');

/** The same among what else is described of a workload: aligned. */
export const alignedTemplate = (template: NonNullable<PodTemplate>): string =>
  tabbed(templateRows(template));

/** Its rows, to be aligned with others. */
export const templateRows = (template: NonNullable<PodTemplate>): readonly (readonly string[])[] =>
  templateLines(template).map((line) => line.split('\t'));

/** Cells with tabs between them. */
const templateLines = ({ metadata, spec }: NonNullable<PodTemplate>): readonly string[] => [
  'Pod Template:',
  ...pairs('  Labels:', metadata?.labels, '='),
  ...(metadata?.annotations === undefined
    ? []
    : pairs('  Annotations:', metadata.annotations, ': ')),
  ...(spec?.serviceAccountName === undefined
    ? []
    : [`  Service Account:\t${spec.serviceAccountName}`]),
  ...(spec?.initContainers === undefined
    ? []
    : ['  Init Containers:', ...spec.initContainers.flatMap(containerLines)]),
  '  Containers:',
  ...(spec?.containers ?? []).flatMap(containerLines),
  ...volumeLines((spec?.volumes ?? []).map(({ name }) => name)),
  ...pairs('  Node-Selectors:', spec?.nodeSelector, '='),
  `  Tolerations:\t${(spec?.tolerations ?? []).map(({ key = '', effect = '' }) => `${key}:${effect}`).join(', ') || '<none>'}`,
];

const pairs = (
  title: string,
  values: Readonly<Record<string, string>> | undefined,
  between: string,
): readonly string[] => {
  const entries = Object.entries(values ?? {}).sort();
  if (entries.length === 0) return [`${title}\t<none>`];
  return entries.map(([key, value], i) => `${i === 0 ? title : ''}\t${key}${between}${value}`);
};

const volumeLines = (names: readonly string[]): readonly string[] =>
  names.length === 0
    ? ['  Volumes:\t<none>']
    : ['  Volumes:', ...names.map((name) => `   ${name}`)];

const containerLines = (container: Container): readonly string[] => {
  const {
    name,
    image = '',
    ports = [],
    command,
    args,
    resources,
    env = [],
    volumeMounts = [],
    volumeDevices = [],
  } = container;
  const portText = (of: (port: NonNullable<Container['ports']>[number]) => number) =>
    ports.map((port) => `${of(port)}/${port.protocol ?? 'TCP'}`).join(', ') || '<none>';
  const plural = ports.length > 1 ? 's' : '';
  return [
    `   ${name}:`,
    `    Image:\t${image}`,
    `    Port${plural}:\t${portText(({ containerPort }) => containerPort)}`,
    `    Host Port${plural}:\t${portText(({ hostPort = 0 }) => hostPort)}`,
    ...words('Command', command),
    ...words('Args', args),
    ...amounts('Limits', resources?.limits),
    ...amounts('Requests', resources?.requests),
    ...(env.length === 0
      ? ['    Environment:\t<none>']
      : [
          '    Environment:',
          ...env.map(({ name: key, value }) => `      ${key}:\t${value ?? '<set from elsewhere>'}`),
        ]),
    ...(volumeMounts.length === 0
      ? ['    Mounts:\t<none>']
      : [
          '    Mounts:',
          ...volumeMounts.map(
            ({ mountPath, name: volume, readOnly }) =>
              `      ${mountPath} from ${volume} (${readOnly === true ? 'ro' : 'rw'})`,
          ),
        ]),
    ...deviceLines(volumeDevices),
  ];
};

const deviceLines = (devices: NonNullable<Container['volumeDevices']>): readonly string[] =>
  devices.length === 0
    ? []
    : [
        '    Devices:',
        ...devices
          .toSorted((a, b) => (a.devicePath < b.devicePath ? -1 : 1))
          .map(({ devicePath, name }) => `      ${devicePath} from ${name}`),
      ];

const words = (title: string, list: readonly string[] | undefined): readonly string[] =>
  list === undefined ? [] : [`    ${title}:`, ...list.map((word) => `      ${word}`)];

const amounts = (
  title: string,
  values: Readonly<Record<string, string | number>> | undefined,
): readonly string[] =>
  values === undefined
    ? []
    : [
        `    ${title}:`,
        ...Object.entries(values).map(([name, value]) => `      ${name}:\t${value}`),
      ];
