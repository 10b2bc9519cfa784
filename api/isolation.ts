import { z } from 'zod';

/** The kind of `pods/NAME/isolation`, which has no objects of its own. */
export const ISOLATION = {
  group: 'isolation.dhow.dev',
  version: 'v1',
  kind: 'PodIsolation',
} as const;

const text = z.string().max(4096);
const names = z.array(text).max(1024).readonly();
const mapping = z.object({ inside: z.number(), outside: z.number(), count: z.number() });
const mappings = z.array(mapping).max(512).readonly();

/** How one container is shut in, as the kernel of its node reports it. */
const containerIsolation = z.object({
  name: text,
  /** Of its main process, on the node. */
  pid: z.number(),
  namespaces: z
    .array(z.object({ type: text, id: text, isHost: z.boolean() }))
    .max(16)
    .readonly(),
  userMappings: z.object({ uid: mappings, gid: mappings }),
  identity: z.object({
    uid: z.number(),
    gid: z.number(),
    groups: z.array(z.number()).max(65_536).readonly(),
    noNewPrivileges: z.boolean(),
    seccomp: z.enum(['disabled', 'strict', 'filter']),
    seccompFilters: z.number(),
    capabilities: z.object({ effective: names, permitted: names, bounding: names, ambient: names }),
  }),
  /** Of a security module of the kernel, if there is one. */
  label: text.optional(),
  oomScoreAdj: z.number(),
  cgroups: z
    .array(z.object({ controllers: text, path: text, values: z.record(text, text) }))
    .max(32)
    .readonly(),
  mounts: z
    .array(
      z.object({
        ...{ target: text, type: text, root: text, source: text },
        isReadOnly: z.boolean(),
        options: names,
        propagation: z.enum(['private', 'shared', 'slave', 'unbindable']),
      }),
    )
    .max(1024)
    .readonly(),
});

/** What a node answers: the containers of a pod that run, in the order of its manifest. */
export const isolationReport = z.object({
  containers: z.array(containerIsolation).max(1024).readonly(),
});

export type ContainerIsolation = z.infer<typeof containerIsolation>;
export type IsolationReport = z.infer<typeof isolationReport>;

/** What `pods/NAME/isolation` answers. */
export interface PodIsolation extends IsolationReport {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly nodeName: string;
}
