/* Building the container's root. */
#pragma once
#include "plan.h"

#define PROPAGATION_SHARED (1u << 20) /* MS_SHARED */
#define NULL_DEVICE makedev(1, 3)

/* What is opened of the container's own /dev while nothing can have covered it yet; -1 without. */
struct devices {
  int null;
  int master, terminal;
};

/* mounts.c: one step each; 0, or -1 after reporting. */
int mount_filesystem(int root, const struct plan_step *step);
int bind_mount(int root, const struct plan_step *step);
int make_symlink(int root, const struct plan_step *step);
int make_device(int root, const struct plan_step *step, struct devices *devices);
/* A device outside of /dev: where device nodes of the root itself do not work. */
int place_device(int root, const struct plan_step *step, const struct devices *devices);
/* A file is covered with `null`, a folder with nothing. */
int mask_path(int root, const struct plan_step *step, int null);
/* The terminal becomes /dev/console too. */
int bind_console(int root, int terminal);
int make_readonly(int root, const struct plan_step *step);
int limit_root(int root, bool is_readonly, bool is_nodev);
/* Clones a bind's source while it is still a peer of the host's mount. */
int clone_shared(struct plan_step *step);

/* rootfs.c: in a new mount namespace, builds the root and makes it `/`. */
int enter_root(struct plan *plan, struct devices *devices);
/* The same for another runtime: nothing but the layers, not entered; the plan's steps end up below the
 * stage, from where it binds them. */
int build_root(const struct plan *plan);
/* The second half, before anything of the user's runs: nothing of the host's is left in reach. */
int leave_old_root(void);
