import { join } from 'node:path';
import { z } from 'zod';

import { readYaml } from '../../api/yaml/read';
import { describeError } from '../../lib/log';
import { listFolderSync } from '../files';
import { readSmallFileSync } from '../shaped-files';
import { mergeEdits, type DeviceEdits } from './edits';

/** `vendor.com/class=name`. */
export const isCdiName = (text: string): boolean => CDI_NAME.test(text);

/** By the whole name of each device. Why one cannot be had is known, too. */
export type CdiDevices = ReadonlyMap<string, DeviceEdits | Error>;

/** Of one file, each with its whole name. */
export type SpecDevices = readonly (readonly [string, DeviceEdits | Error])[];

/**
 * What the files of these folders describe, later folders before earlier ones. A file that is wrong, or
 * describes what this node does not do, takes nothing from the others; of two devices of a name in one folder
 * neither can be had. Source: the Container Device Interface specification, 1.0
 */
export const readCdiDevices = (
  folders: readonly string[],
  onProblem: (path: string, message: string) => void,
  read: (file: string) => SpecDevices = readCdiSpec,
): CdiDevices => {
  const devices = new Map<string, DeviceEdits | Error>();
  for (const folder of folders) {
    const inFolder = new Set<string>();
    for (const file of specFiles(folder, onProblem)) {
      try {
        for (const [name, edits] of read(file)) {
          const isTwice = inFolder.has(name);
          const conflict = new Error(`device "${name}" is described twice in ${folder}`);
          devices.set(name, isTwice ? conflict : edits);
          inFolder.add(name);
        }
      } catch (error) {
        onProblem(file, describeError(error));
      }
    }
  }
  return devices;
};

/** @throws Error in upstream's words while there are no such devices */
export const resolveCdi = (
  names: readonly string[],
  devices: CdiDevices,
): readonly DeviceEdits[] => {
  const missing = names.filter((name) => !devices.has(name));
  if (missing.length > 0) throw new Error(`unresolvable CDI devices ${missing.join(', ')}`);
  return names.map((name) => {
    const edits = devices.get(name);
    if (edits === undefined || edits instanceof Error)
      throw new Error(edits?.message ?? `unresolvable CDI devices ${name}`);
    return edits;
  });
};

const specFiles = (
  folder: string,
  onProblem: (path: string, message: string) => void,
): readonly string[] => {
  try {
    return listFolderSync(folder)
      .filter((name) => /\.(json|ya?ml)$/.test(name) && !name.startsWith('.'))
      .sort()
      .slice(0, FILES_MAX)
      .map((name) => join(folder, name));
  } catch (error) {
    onProblem(folder, describeError(error));
    return [];
  }
};

/** @throws Error when it is no regular file, too large, or wrong */
export const readCdiSpec = (file: string): SpecDevices => {
  const text = readSmallFileSync(file, FILE_BYTES_MAX);
  const [document] = readYaml(text, { bytesMax: FILE_BYTES_MAX });
  const result = specSchema.safeParse(document?.value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new Error(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  const { kind, devices, containerEdits } = result.data;
  return devices.map(({ name, containerEdits: own }) => [
    `${kind}=${name}`,
    triedEdits([containerEdits, own]),
  ]);
};

const triedEdits = (all: readonly CdiEdits[]): DeviceEdits | Error => {
  try {
    return mergeEdits(all.map(editsOf));
  } catch (error) {
    return error as Error;
  }
};

/** @throws Error naming what is asked for and not done here */
const editsOf = (edits: CdiEdits): DeviceEdits => {
  if (edits.hooks.length > 0)
    throw new Error('hooks are not run: they would be programs of the host with its rights');
  if (edits.intelRdt !== undefined) throw new Error('intelRdt is not supported');
  if (edits.netDevices.length > 0) throw new Error('netDevices are not supported');
  return {
    env: {},
    lastEnv: edits.env,
    mounts: edits.mounts.map(({ hostPath, containerPath, options }) => ({
      ...{ hostPath, containerPath },
      isReadOnly: options.includes('ro'),
    })),
    devices: edits.deviceNodes.map(({ path, hostPath, permissions, fileMode, uid, gid }) => ({
      path,
      hostPath: hostPath ?? path,
      access: permissions ?? 'rwm',
      ...(fileMode === undefined ? {} : { fileMode }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    })),
    additionalGids: edits.additionalGids,
  };
};

const absolute = z.string().regex(/^\//, 'not an absolute path');
const id = z.number().int().min(0).max(0xffff_fffe);
const editsSchema = z.object({
  env: z.array(z.string().regex(/^[^=\0]+=[^\0]*$/, 'not NAME=value')).default([]),
  deviceNodes: z
    .array(
      z.object({
        path: absolute,
        hostPath: absolute.optional(),
        permissions: z
          .string()
          .regex(/^[rwm]{1,3}$/, 'not of r, w and m')
          .optional(),
        fileMode: z.number().int().min(0).max(0o7777).optional(),
        uid: id.optional(),
        gid: id.optional(),
      }),
    )
    .default([]),
  mounts: z
    .array(
      z.object({
        hostPath: absolute,
        containerPath: absolute,
        options: z.array(z.string()).default([]),
        type: z.enum(['', 'bind', 'none']).optional(),
      }),
    )
    .default([]),
  hooks: z.array(z.unknown()).default([]),
  netDevices: z.array(z.unknown()).default([]),
  intelRdt: z.unknown().optional(),
  additionalGids: z.array(id).default([]),
});
type CdiEdits = z.output<typeof editsSchema>;
const NO_CDI_EDITS = editsSchema.parse({});

const CDI_KIND = /^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w-]*[A-Za-z0-9])?$/;
const CDI_DEVICE = /^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/;
const CDI_NAME = new RegExp(`${CDI_KIND.source.slice(0, -1)}=${CDI_DEVICE.source.slice(1)}`);

const specSchema = z.object({
  cdiVersion: z
    .string()
    .regex(/^v?(0\.[3-9]\.\d+|1\.[01]\.\d+)$/, 'a version that is not known here'),
  kind: z.string().regex(CDI_KIND, 'not VENDOR/CLASS'),
  devices: z
    .array(
      z.object({
        name: z.string().regex(CDI_DEVICE, 'not the name of a device'),
        containerEdits: editsSchema.default(NO_CDI_EDITS),
      }),
    )
    .min(1)
    .max(10_000),
  containerEdits: editsSchema.default(NO_CDI_EDITS),
});

const FILES_MAX = 1_000;
const FILE_BYTES_MAX = 4 << 20;
