/* One step of building the root at a time. Targets are opened inside the root first and mounted on
 * by descriptor, so that no symlink can move a mount elsewhere between look-up and mount. */
#include <linux/mount.h>
#include <sys/sysmacros.h>

#include "rootfs.h"

/* From <sys/mount.h>, which cannot be included beside <linux/mount.h> everywhere. */
int mount(const char *, const char *, const char *, unsigned long, const void *);

#define EMPTY_PATH 0x1000 /* AT_EMPTY_PATH */
#define RECURSIVE 0x8000  /* AT_RECURSIVE */

/* A folder that the image lacks. */
#define IN_IMAGE ((struct new_folder){.mode = 0755})

/* Of the folder that holds the last device or link made, which come in runs; `forget` it when a mount
 * may have covered it. */
static struct {
  int fd;
  const char *path;
  size_t length;
} last_folder = {.fd = -1};

static void forget_folder(void) {
  close_fd(&last_folder.fd);
  last_folder.fd = -1;
}

/* From the folder itself: a walk through /proc/self/fd takes longer than the mount. */
static int mount_on(int target, const char *type, const char *source, unsigned long flags,
                    const char *data) {
  return fchdir(target) < 0 ? -1 : mount(source, ".", type, flags, data);
}

static int set_attributes(int tree, uint64_t set, uint64_t propagation, unsigned flags) {
  struct mount_attr attributes = {.attr_set = set, .propagation = propagation};
  return (int)syscall(NR_MOUNT_SETATTR, tree, "", EMPTY_PATH | flags, &attributes,
                      sizeof attributes);
}

static int clone_tree(int fd, unsigned flags) {
  return (int)syscall(NR_OPEN_TREE, fd, "", OPEN_TREE_CLONE | O_CLOEXEC | EMPTY_PATH | flags);
}

static int attach_tree(int tree, int target) {
  return (int)syscall(NR_MOVE_MOUNT, tree, "", target, "",
                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int mount_filesystem(int root, const struct plan_step *step) {
  const char *type = step->strings[0], *target = step->strings[2], *data = step->strings[3];
  uint64_t resolve = step->numbers[1] != 0 ? RESOLVE_STRICT : RESOLVE_ROOT;
  forget_folder();
  cleanup_close int fd = make_folders(root, target, resolve, IN_IMAGE);
  if (fd < 0) return fail("mount", "mount %s on %s", type, target);
  if (mount_on(fd, type, step->strings[1], step->numbers[0], *data == '\0' ? NULL : data) < 0) {
    return fail("mount", "mount %s on %s", type, target);
  }
  return 0;
}

/* A missing sub path becomes a folder that whoever may use the volume may use. */
static int make_sub_path(int base, const char *sub_path) {
  struct stat info;
  if (fstat(base, &info) < 0) return -1;
  return make_folders(base, sub_path, RESOLVE_INSIDE, (struct new_folder){.mode = info.st_mode & 0777});
}

/* The folder or file to bind, opened so that a sub path cannot leave its volume. */
static int open_source(const struct plan_step *step) {
  const char *source = step->strings[0], *sub_path = step->strings[2];
  int base = open_file(AT_FDCWD, source, O_PATH, 0);
  if (base < 0) return fail("mount", "bind %s", source);
  if (*sub_path == '\0') return base;
  int inside = open_beneath(base, sub_path, O_PATH, RESOLVE_INSIDE);
  if (inside < 0 && errno == ENOENT) inside = make_sub_path(base, sub_path);
  int error = errno;
  close(base);
  errno = error;
  if (inside >= 0) return inside;
  if (error == EXDEV || error == ELOOP) {
    errno = 0;
    return fail("mount", "subPath \"%s\" leaves its volume", sub_path);
  }
  return fail("mount", "subPath \"%s\"", sub_path);
}

static int clone_source(const struct plan_step *step) {
  cleanup_close int source = open_source(step);
  if (source < 0) return -1;
  int tree = clone_tree(source, RECURSIVE);
  return tree < 0 ? fail("mount", "bind %s", step->strings[0]) : tree;
}

int clone_shared(struct plan_step *step) {
  if (step->tag != TAG_BIND || step->numbers[1] != PROPAGATION_SHARED) return 0;
  step->tree_fd = clone_source(step);
  return step->tree_fd < 0 ? -1 : 0;
}

int bind_mount(int root, const struct plan_step *step) {
  const char *target = step->strings[1];
  cleanup_close int tree = step->tree_fd >= 0 ? step->tree_fd : clone_source(step);
  if (tree < 0) return -1;
  struct stat info;
  if (fstat(tree, &info) < 0) return fail("mount", "bind %s", step->strings[0]);
  forget_folder();
  cleanup_close int fd = S_ISDIR(info.st_mode) ? make_folders(root, target, RESOLVE_ROOT, IN_IMAGE)
                                               : make_file(root, target, RESOLVE_ROOT);
  if (fd < 0) return fail("mount", "bind %s on %s", step->strings[0], target);
  uint64_t propagation = step->numbers[1] == PROPAGATION_SHARED ? 0 : step->numbers[1];
  if (set_attributes(tree, step->numbers[0], propagation, RECURSIVE) < 0 ||
      attach_tree(tree, fd) < 0) {
    return fail("mount", "bind %s on %s", step->strings[0], target);
  }
  return 0;
}

/* The folder of `path`, kept open for the next step, and the last component. */
static int open_parent(int root, const char *path, const char **name) {
  const char *slash = strrchr(path, '/');
  char folder[512];
  size_t length = slash == NULL ? sizeof folder : (size_t)(slash - path);
  if (length >= sizeof folder) {
    errno = EINVAL;
    return -1;
  }
  *name = slash + 1;
  if (last_folder.fd >= 0 && last_folder.length == length &&
      memcmp(last_folder.path, path, length) == 0) {
    return last_folder.fd;
  }
  forget_folder();
  memcpy(folder, path, length);
  folder[length] = '\0';
  last_folder.path = path;
  last_folder.length = length;
  return last_folder.fd = make_folders(root, length == 0 ? "." : folder, RESOLVE_ROOT, IN_IMAGE);
}

int make_symlink(int root, const struct plan_step *step) {
  const char *name;
  int parent = open_parent(root, step->strings[1], &name);
  if (parent < 0 || (symlinkat(step->strings[0], parent, name) < 0 && errno != EEXIST)) {
    return fail("dev", "link %s", step->strings[1]);
  }
  return 0;
}

int make_device(int root, const struct plan_step *step) {
  const char *path = step->strings[0], *name;
  int parent = open_parent(root, path, &name);
  dev_t number = makedev(step->numbers[1], step->numbers[2]);
  if (parent < 0 || (mknodat(parent, name, step->numbers[0], number) < 0 && errno != EEXIST)) {
    return fail("dev", "make device %s", path);
  }
  return 0;
}

/* The container's own /dev/null, checked: a host node bound here could be changed from inside. Opened
 * once, since nothing of the container runs yet. */
static int open_null(int root) {
  static int null = -1;
  struct stat info;
  if (null >= 0) return null;
  int fd = open_beneath(root, "dev/null", O_PATH, RESOLVE_STRICT);
  if (fd >= 0 && fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) &&
      info.st_rdev == makedev(1, 3)) {
    return null = fd;
  }
  if (fd >= 0) close(fd);
  errno = ENODEV;
  return -1;
}

int mask_path(int root, const struct plan_step *step) {
  const char *path = step->strings[0];
  cleanup_close int target = open_beneath(root, path, O_PATH, RESOLVE_ROOT);
  if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : fail("mask", "%s", path);
  struct stat info;
  if (fstat(target, &info) < 0) return fail("mask", "%s", path);
  if (S_ISDIR(info.st_mode)) {
    unsigned long flags = 1 | 2 | 4 | 8; /* MS_RDONLY, NOSUID, NODEV, NOEXEC */
    if (mount_on(target, "tmpfs", "tmpfs", flags, "nr_blocks=1,nr_inodes=1") < 0) {
      return fail("mask", "%s", path);
    }
    return 0;
  }
  int null = open_null(root);
  cleanup_close int tree = null < 0 ? -1 : clone_tree(null, 0);
  if (tree < 0 || set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0) < 0 ||
      attach_tree(tree, target) < 0) {
    return fail("mask", "%s", path);
  }
  return 0;
}

int make_readonly(int root, const struct plan_step *step) {
  const char *path = step->strings[0];
  cleanup_close int target = open_beneath(root, path, O_PATH, RESOLVE_ROOT);
  if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : fail("readonly", "%s", path);
  cleanup_close int tree = clone_tree(target, RECURSIVE);
  if (tree < 0 || set_attributes(tree, MOUNT_ATTR_RDONLY, 0, RECURSIVE) < 0 ||
      attach_tree(tree, target) < 0) {
    return fail("readonly", "%s", path);
  }
  return 0;
}

int limit_root(int root, bool is_readonly, bool is_nodev) {
  uint64_t set = (is_readonly ? MOUNT_ATTR_RDONLY : 0) | (is_nodev ? MOUNT_ATTR_NODEV : 0);
  if (set != 0 && set_attributes(root, set, 0, 0) < 0) return fail("rootfs", "limit /");
  return 0;
}
