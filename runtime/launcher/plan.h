/* The launch plan: what TypeScript decided, flat. A list of { u16 tag, u16 0, u32 length, value };
 * runtime/containers/launch-plan.ts writes it. Strings in values end with NUL. */
#pragma once
#include "launcher.h"

enum plan_tag {
  TAG_DIR = 1,          /* run folder of the container or sandbox */
  TAG_CGROUP_JOIN = 2, /* file of a cgroup to write oneself into, repeated */
  TAG_CGROUP_DIR = 3,   /* where to kill everything: v1 freezer or v2 cgroup */
  TAG_OOM_DIR = 4,      /* cgroup whose counter tells the truth */
  TAG_OOM_GROUP = 5,    /* u32: one victim ends the whole container */
  TAG_NAMESPACE = 6,    /* u32 clone flag, path: join it; repeated */
  TAG_UNSHARE = 7,      /* u32 clone flags */
  TAG_LOWER = 8,        /* overlay lower folder, topmost first, repeated */
  TAG_UPPER = 9,
  TAG_WORK = 10,
  TAG_ROOTFS = 11,      /* mount point, seen only inside the mount namespace */
  TAG_MOUNT = 12,       /* u32 MS_ flags, u32 is strict, type, source, target, data */
  TAG_BIND = 13,        /* u32 MOUNT_ATTR_ flags, u32 MS_ propagation, source, target, sub path */
  TAG_SYMLINK = 14,     /* content, path */
  TAG_DEVICE = 15,      /* u32 mode, u32 major, u32 minor, u32 uid, u32 gid, path */
  TAG_MASK = 16,        /* path */
  TAG_READONLY = 17,    /* path */
  TAG_ROOT_READONLY = 18,
  TAG_CWD = 19,
  TAG_ARG = 20,
  TAG_ENV = 21,
  TAG_USER = 22,        /* u32 uid, u32 gid, u32 supplemental gids ... */
  TAG_CAPABILITIES = 23, /* u64 */
  TAG_NO_NEW_PRIVS = 24, /* u32, may be left out: the filter allows what an exec still has to do inside */
  TAG_SECCOMP = 25,     /* struct sock_filter ... */
  TAG_HOSTNAME = 27,
  TAG_SYSCTL = 28,      /* path below /proc/sys, value; repeated */
  TAG_TTY = 29,
  TAG_STDIN = 30,
  TAG_LOG = 31,         /* u64 bytes per file, u32 files, path */
  TAG_OOM_SCORE_ADJ = 32, /* i32 */
  TAG_TIMEOUT_MS = 33,  /* u64 */
  TAG_TERMINAL_SIZE = 34, /* u32 columns, u32 rows */
  TAG_PATH = 35,        /* to unmount; repeated */
  TAG_PIN = 36,         /* u32 clone flag, path: make it and pin it there; repeated */
  TAG_SHM = 37,         /* u64 bytes, path: mount a tmpfs there */
  TAG_ROOT_NODEV = 40,  /* device files in the image or made there do not work */
  TAG_SOCKET = 39,      /* the monitor's own */
  TAG_TERMINAL = 41,    /* u32 with /dev/console: a terminal from the /dev/pts mounted before */
  TAG_PID_OF = 42,      /* u32 pid, its cgroup's name: join the pid namespace of this process */
  TAG_PLACED_DEVICE = 43, /* as TAG_DEVICE, but anywhere in the root: links are followed inside */
  TAG_KILL_LEFTOVERS = 38, /* the pid namespace is shared: kill the cgroup when init ends */
  TAG_START_ARG = 44,   /* of the command that starts what another runtime has created; repeated */
  TAG_PID_FILE = 45,    /* another runtime, which `args` call, writes the number of the process there */
  TAG_CONSOLE = 46,     /* socket at which another runtime hands over the terminal */
  TAG_STAGE = 47,       /* folder for mounts that another runtime binds into the container */
  TAG_TOOL_LOG = 48,    /* where another runtime writes its errors, a JSON object each */
};

/* One step of building the root, in the plan's order. */
struct plan_step {
  enum plan_tag tag;
  uint32_t numbers[5];
  const char *strings[4];
  int tree_fd; /* TAG_BIND with shared propagation: cloned before the tree becomes a slave */
};

struct plan_path {
  uint32_t flag;
  const char *path;
};

struct plan_pair {
  const char *key;
  const char *value;
};

enum {
  MAX_CGROUPS = 16,
  MAX_NAMESPACES = 8,
  MAX_LOWERS = 128,
  MAX_STEPS = 2048,
  MAX_WORDS = 32768,
  MAX_GIDS = 1024,
  MAX_PAIRS = 128,
  MAX_PATHS = 64,
};

/* What every container needs comes first, to touch few pages. */
struct plan {
  const char *dir, *cgroup_dir, *oom_dir, *upper, *work, *rootfs, *cwd, *hostname, *log_path;
  const char *shm_path, *socket_path, *pid_cgroup, *pid_file, *console_path, *stage, *tool_log;
  struct plan_step *steps;
  char **args, **env, **start_args;
  const void *gids; /* gid_t ..., as they stand in the plan: not aligned */
  size_t cgroup_count, lower_count, path_count, namespace_count, pin_count, step_count,
      sysctl_count, arg_count, start_arg_count, env_count, gid_count;
  uid_t uid;
  gid_t gid;
  pid_t pid_of;
  uint32_t unshare_flags, log_files, columns, rows;
  uint64_t capabilities, log_bytes, timeout_ms, shm_bytes;
  int32_t oom_score_adj;
  const void *seccomp;
  size_t seccomp_bytes;
  bool root_readonly, root_nodev, no_new_privs, tty, has_stdin, oom_group, has_oom_score_adj,
      kill_leftovers, filter_early;
  struct plan_path namespaces[MAX_NAMESPACES], pins[MAX_NAMESPACES];
  const char *cgroup_joins[MAX_CGROUPS], *lowers[MAX_LOWERS], *paths[MAX_PATHS];
  struct plan_pair sysctls[MAX_PAIRS];
};

/* Points into `bytes`, which must stay. NULL after reporting. */
struct plan *plan_parse(char *bytes, size_t length);
