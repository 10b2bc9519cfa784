/* One step of building the root at a time. Targets are opened inside the root first and mounted on
 * by descriptor, so that no symlink can move a mount elsewhere between look-up and mount. */
#include <linux/mount.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "inside.h"
#include "rootfs.h"

/* From <sys/mount.h>, which cannot be included beside <linux/mount.h> everywhere. */
int mount(const char *, const char *, const char *, unsigned long, const void *);

#define EMPTY_PATH 0x1000 /* AT_EMPTY_PATH */
#define RECURSIVE 0x8000  /* AT_RECURSIVE */

#define PROC_MAGIC 0x9fa0

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

/* Wherever links led: a false /proc would defeat the masks and whoever reads it, and what is mounted on
 * the root itself would be in no way below it. */
static int check_target(int root, int fd, const char *target) {
  struct statfs kind;
  struct stat own, other;
  if (fstatfs(fd, &kind) < 0 || fstat(root, &own) < 0 || fstat(fd, &other) < 0) {
    return fail("mount", "mount target \"%s\"", target);
  }
  errno = 0;
  if (kind.f_type == PROC_MAGIC) return fail("mount", "mount target \"%s\" is inside /proc", target);
  if (own.st_dev == other.st_dev && own.st_ino == other.st_ino) {
    return fail("mount", "mount target \"%s\" is the root itself", target);
  }
  return 0;
}

int mount_filesystem(int root, const struct plan_step *step) {
  const char *type = step->strings[0], *target = step->strings[2], *data = step->strings[3];
  bool is_ours = step->numbers[1] != 0;
  forget_folder();
  cleanup_close int fd = make_inside(root, target, is_ours ? RESOLVE_STRICT : RESOLVE_ROOT, NEW_FOLDER);
  if (fd < 0) return fail("mount", "mount %s on %s", type, target);
  if (!is_ours && check_target(root, fd, target) < 0) return -1;
  if (mount_on(fd, type, step->strings[1], step->numbers[0], *data == '\0' ? NULL : data) < 0) {
    return fail("mount", "mount %s on %s", type, target);
  }
  return 0;
}

/* A missing sub path becomes a folder that whoever may use the volume may use. */
static int make_sub_path(int base, const char *sub_path) {
  struct stat info;
  if (fstat(base, &info) < 0) return -1;
  struct new_entry kind = {.mode = S_IFDIR | (info.st_mode & 0777)};
  return make_inside(base, sub_path, RESOLVE_INSIDE, kind);
}

/* The folder or file to bind, opened so that a sub path cannot leave its volume. */
static int open_source(const struct plan_step *step) {
  const char *source = step->strings[0], *sub_path = step->strings[2];
  int base = open_host(AT_FDCWD, source, O_PATH, 0);
  if (base < 0) return fail("mount", "bind %s", source);
  if (*sub_path == '\0') return base;
  int inside = find_inside(base, sub_path, RESOLVE_INSIDE);
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
  struct new_entry missing = S_ISDIR(info.st_mode) ? NEW_FOLDER : NEW_FILE;
  cleanup_close int fd = make_inside(root, target, RESOLVE_ROOT, missing);
  if (fd < 0) return fail("mount", "bind %s on %s", step->strings[0], target);
  if (check_target(root, fd, target) < 0) return -1;
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
  /* All that is made so lies in file systems just mounted, which hold no link but ours. */
  const char *parent = length == 0 ? "." : folder;
  return last_folder.fd = make_inside(root, parent, RESOLVE_STRICT, NEW_FOLDER);
}

int make_symlink(int root, const struct plan_step *step) {
  const char *name;
  int parent = open_parent(root, step->strings[1], &name);
  if (parent < 0 || make_link(parent, name, step->strings[0]) < 0) {
    return fail("dev", "link %s", step->strings[1]);
  }
  return 0;
}

int make_device(int root, const struct plan_step *step, struct devices *devices) {
  const char *path = step->strings[0], *name;
  int parent = open_parent(root, path, &name);
  dev_t number = makedev(step->numbers[1], step->numbers[2]);
  struct new_entry kind = {
      .mode = step->numbers[0], .uid = step->numbers[3], .gid = step->numbers[4]};
  if (parent < 0 || make_node(parent, name, kind, number) < 0) {
    return fail("dev", "make device %s", path);
  }
  if (devices->null >= 0 || number != NULL_DEVICE) return 0;
  devices->null = open_device(parent, name, number);
  return devices->null < 0 ? fail("dev", "open %s", path) : 0;
}

/* The container's own /dev, unless a volume covers it by now; whatever else is there is not ours. */
static int open_own_dev(int root, const struct devices *devices) {
  struct stat own, found;
  int dev = make_inside(root, "dev", RESOLVE_STRICT, NEW_FOLDER);
  if (dev < 0 || fstat(devices->null, &own) < 0 || fstat(dev, &found) < 0) return -1;
  if (own.st_dev == found.st_dev) return dev;
  close(dev);
  errno = EBUSY;
  return -1;
}

#define PLACED ".placed"

/* Its node lies in /dev for as long as it takes to mount it elsewhere. */
static int clone_node(int dev, const struct plan_step *step) {
  dev_t number = makedev(step->numbers[1], step->numbers[2]);
  struct new_entry kind = {
      .mode = step->numbers[0], .uid = step->numbers[3], .gid = step->numbers[4]};
  if (make_new_node(dev, PLACED, kind, number) < 0) return -1;
  cleanup_close int node = find_inside(dev, PLACED, RESOLVE_STRICT);
  return node < 0 ? -1 : clone_tree(node, 0);
}

int place_device(int root, const struct plan_step *step, const struct devices *devices) {
  const char *path = step->strings[0];
  forget_folder();
  cleanup_close int dev = open_own_dev(root, devices);
  cleanup_close int tree = dev < 0 ? -1 : clone_node(dev, step);
  if (tree < 0) return fail("dev", "make device %s", path);
  cleanup_close int target = make_inside(root, path, RESOLVE_ROOT, NEW_FILE);
  if (target < 0) return fail("dev", "place device %s", path);
  if (check_target(root, target, path) < 0) return -1;
  if (attach_tree(tree, target) < 0 || remove_node(dev, PLACED) < 0) {
    return fail("dev", "place device %s", path);
  }
  return 0;
}

int bind_console(int root, int terminal) {
  struct stat info;
  cleanup_close int target = make_inside(root, "dev/console", RESOLVE_STRICT, NEW_FILE);
  if (target < 0 || fstat(target, &info) < 0) return fail("terminal", "make /dev/console");
  if (!S_ISREG(info.st_mode)) {
    errno = EEXIST;
    return fail("terminal", "make /dev/console");
  }
  cleanup_close int tree = clone_tree(terminal, 0);
  if (tree < 0 || attach_tree(tree, target) < 0) return fail("terminal", "bind /dev/console");
  return 0;
}

int mask_path(int root, const struct plan_step *step, int null) {
  const char *path = step->strings[0];
  cleanup_close int target = find_inside(root, path, RESOLVE_ROOT);
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
  /* The container's own: a node of the host bound here could be changed from inside. */
  cleanup_close int tree = clone_tree(null, 0);
  if (tree < 0 || set_attributes(tree, MOUNT_ATTR_RDONLY, 0, 0) < 0 ||
      attach_tree(tree, target) < 0) {
    return fail("mask", "%s", path);
  }
  return 0;
}

int make_readonly(int root, const struct plan_step *step) {
  const char *path = step->strings[0];
  cleanup_close int target = find_inside(root, path, RESOLVE_ROOT);
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
