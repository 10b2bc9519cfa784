/* Overlay, mounts, pivot. The host sees nothing of it: all happens in the new mount namespace. */
#include "rootfs.h"

#include <sys/mount.h>

#include "inside.h"
#include "process.h"

/* Names the layers by descriptor: short enough for a hundred of them in one page of options, and
 * commas or colons in paths do no harm. */
static int mount_overlay(const struct plan *plan) {
  char options[4096];
  size_t used = (size_t)snprintf(options, sizeof options, "lowerdir=");
  for (size_t i = 0; i < plan->lower_count; i++) {
    int fd = open_host(AT_FDCWD, plan->lowers[i], O_PATH | O_DIRECTORY, 0);
    if (fd < 0) return fail("rootfs", "open layer %s", plan->lowers[i]);
    used += (size_t)snprintf(options + used, sizeof options - used, "%s/proc/self/fd/%d",
                             i == 0 ? "" : ":", fd);
    if (used >= sizeof options - 128) {
      errno = E2BIG;
      return fail("rootfs", "too many layers");
    }
  }
  int upper = open_host(AT_FDCWD, plan->upper, O_PATH | O_DIRECTORY, 0);
  int work = open_host(AT_FDCWD, plan->work, O_PATH | O_DIRECTORY, 0);
  if (upper < 0 || work < 0) return fail("rootfs", "open %s", plan->upper);
  /* volatile: the writable layer dies with the container, so it is never worth a disk flush. */
  snprintf(options + used, sizeof options - used,
           ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,volatile", upper, work);
  if (mount("overlay", plan->rootfs, "overlay", 0, options) < 0) {
    return fail("rootfs", "mount overlay");
  }
  return 0;
}

static int make_terminal(const struct plan *plan, int root, const struct plan_step *step,
                         struct devices *devices) {
  devices->master = open_terminal(plan, root, &devices->terminal);
  if (devices->master < 0) return -1;
  return step->numbers[0] != 0 ? bind_console(root, devices->terminal) : 0;
}

static int run_step(const struct plan *plan, int root, const struct plan_step *step,
                    struct devices *devices) {
  switch (step->tag) {
    case TAG_MOUNT: return mount_filesystem(root, step);
    case TAG_BIND: return bind_mount(root, step);
    case TAG_SYMLINK: return make_symlink(root, step);
    case TAG_DEVICE: return make_device(root, step, devices);
    case TAG_PLACED_DEVICE: return place_device(root, step, devices);
    case TAG_MASK: return mask_path(root, step, devices->null);
    case TAG_READONLY: return make_readonly(root, step);
    case TAG_TERMINAL: return make_terminal(plan, root, step, devices);
    default: return -1;
  }
}

/* pivot_root moves what lies at the root of this process. Under chroot that is not the root of the mount
 * namespace: the host would stay above the container, and setns(2), so every exec, would end up there.
 * Joining a mount namespace sets the root to its own (namespaces(7)), also when it is ours already. */
static int enter_namespace_root(void) {
  cleanup_close int own = open_host(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY, 0);
  return own < 0 || setns(own, CLONE_NEWNS) < 0 ? fail("pivot_root", "enter the root of the mounts") : 0;
}

/* Both on the same folder: the old root ends up on top of the new one, until `leave_old_root`. */
static int pivot(int root) {
  if (enter_namespace_root() < 0) return -1;
  cleanup_close int old = open_host(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
  leave_host();
  if (old < 0 || fchdir(root) < 0) return fail("pivot_root", "enter the new root");
  if (syscall(SYS_pivot_root, ".", ".") < 0) return fail("pivot_root", "pivot_root");
  /* What lies outside of the root that was ours is a slave from here on; the container's own mounts, which
   * may be shared, are none of it any more. */
  if (fchdir(old) < 0 || mount("", ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 || fchdir(root) < 0) {
    return fail("pivot_root", "make the old root a slave");
  }
  return 0;
}

int leave_old_root(void) {
  /* We are in the new root still; what lies on top of it goes. All its mounts are slaves, so the host
   * keeps its own. The kernel waits here for every processor. */
  return umount2(".", MNT_DETACH) < 0 ? fail("pivot_root", "detach the old root") : 0;
}

/* Returns the root with nothing in it but the layers. */
static int open_layers(const struct plan *plan) {
  /* The launcher keeps its files to itself; here the modes asked for are the modes made. */
  umask(0);
  for (size_t i = 0; i < plan->step_count; i++) {
    if (clone_shared(&plan->steps[i]) < 0) return -1;
  }
  /* Unmounts on the host still reach us; our mounts never reach the host. */
  if (mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0) return fail("rootfs", "make / a slave");
  if (mount_overlay(plan) < 0) return -1;
  int root = open_host(AT_FDCWD, plan->rootfs, O_PATH | O_DIRECTORY, 0);
  return root < 0 ? fail("rootfs", "open %s", plan->rootfs) : root;
}

static int make_cwd(const struct plan *plan, int root) {
  struct new_entry user = {.mode = S_IFDIR | 0755, .uid = plan->uid, .gid = plan->gid};
  cleanup_close int cwd = make_inside(root, plan->cwd, RESOLVE_ROOT, user);
  return cwd < 0 ? fail("cwd", "working directory %s", plan->cwd) : 0;
}

int build_root(const struct plan *plan) {
  struct devices none = {-1, -1, -1};
  cleanup_close int root = open_layers(plan);
  if (root < 0) return -1;
  cleanup_close int stage = open_host(AT_FDCWD, plan->stage, O_PATH | O_DIRECTORY, 0);
  if (stage < 0) return fail("rootfs", "open %s", plan->stage);
  for (size_t i = 0; i < plan->step_count; i++) {
    if (run_step(plan, stage, &plan->steps[i], &none) < 0) return -1;
  }
  /* Within a volume it is there, or is the other runtime's to make. */
  if (make_cwd(plan, root) < 0) return -1;
  return limit_root(root, false, plan->root_nodev);
}

int enter_root(struct plan *plan, struct devices *devices) {
  cleanup_close int root = open_layers(plan);
  if (root < 0) return -1;
  for (size_t i = 0; i < plan->step_count; i++) {
    if (run_step(plan, root, &plan->steps[i], devices) < 0) return -1;
  }
  if (make_cwd(plan, root) < 0) return -1;
  if (limit_root(root, plan->root_readonly, plan->root_nodev) < 0) return -1;
  return pivot(root);
}
