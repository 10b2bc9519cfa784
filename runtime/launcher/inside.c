#include "inside.h"

#include <limits.h>
#include <linux/openat2.h>

#define NO_LINK 0x04 /* RESOLVE_NO_SYMLINKS */
#define EMPTY_PATH 0x1000 /* AT_EMPTY_PATH */

enum { LINKS_MAX = 40 }; /* as the kernel's */

static int open_inside(int root, const char *path, int flags, uint64_t resolve) {
  struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .resolve = resolve};
  long fd;
  /* EAGAIN: a component moved during the walk; the kernel asks to try again. */
  for (int i = 0; i < 128; i++) {
    fd = syscall(NR_OPENAT2, root, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return (int)fd;
}

int open_root(void) { return (int)syscall(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC); }

int find_inside(int root, const char *path, uint64_t resolve) {
  return open_inside(root, path, O_PATH, resolve);
}

/* One name after another, from the root. `done` leads through folders only, so that no link can bend it
 * without the kernel saying so, and `parent` is where it ends. */
struct walk {
  int root, parent, links;
  uint64_t resolve;
  size_t used;
  char done[PATH_MAX], rest[PATH_MAX];
};

static int go_to(struct walk *walk, int fd) {
  if (walk->parent >= 0) close(walk->parent);
  walk->parent = fd;
  return fd < 0 ? -1 : 0;
}

static int go_up(struct walk *walk) {
  if (walk->used == 0 && walk->resolve == RESOLVE_INSIDE) {
    errno = EXDEV;
    return -1;
  }
  while (walk->used > 0 && walk->done[--walk->used] != '/') continue;
  walk->done[walk->used] = '\0';
  const char *path = walk->used == 0 ? "." : walk->done;
  return go_to(walk, open_inside(walk->root, path, O_PATH | O_DIRECTORY, walk->resolve | NO_LINK));
}

/* Puts the link's content in front of what is left to walk. */
static int follow(struct walk *walk, int fd) {
  char content[PATH_MAX];
  if (walk->resolve != RESOLVE_ROOT || ++walk->links > LINKS_MAX) {
    errno = walk->resolve == RESOLVE_INSIDE ? ENOENT : ELOOP;
    return -1;
  }
  ssize_t length = readlinkat(fd, "", content, sizeof content);
  size_t rest = strlen(walk->rest);
  if (length <= 0 || (size_t)length + 1 + rest >= sizeof walk->rest) {
    if (length >= 0) errno = length == 0 ? ENOENT : ENAMETOOLONG;
    return -1;
  }
  memmove(walk->rest + length + 1, walk->rest, rest + 1);
  memcpy(walk->rest, content, (size_t)length);
  walk->rest[length] = '/';
  if (content[0] != '/') return 0;
  walk->used = 0;
  walk->done[0] = '\0';
  return go_to(walk, open_inside(walk->root, ".", O_PATH | O_DIRECTORY, walk->resolve));
}

static int make_entry(int parent, const char *name, struct new_entry kind) {
  return S_ISDIR(kind.mode) ? mkdirat(parent, name, kind.mode & 07777)
                            : mknodat(parent, name, kind.mode, 0);
}

/* Opens the next name, not following it, and makes it when it is missing. */
static int open_next(struct walk *walk, const char *name, struct new_entry kind) {
  size_t length = strlen(name), start = walk->used;
  if (start + 1 + length >= sizeof walk->done) {
    errno = ENAMETOOLONG;
    return -1;
  }
  if (start > 0) walk->done[start++] = '/';
  memcpy(walk->done + start, name, length + 1);
  uint64_t resolve = walk->resolve | NO_LINK;
  int fd = open_inside(walk->root, walk->done, O_PATH | O_NOFOLLOW, resolve);
  if (fd >= 0 || errno != ENOENT) return fd;
  bool is_made = make_entry(walk->parent, name, kind) == 0;
  /* Someone may have been faster. */
  if (!is_made && errno != EEXIST) return -1;
  fd = open_inside(walk->root, walk->done, O_PATH | O_NOFOLLOW, resolve);
  if (fd < 0 || !is_made || (kind.uid == 0 && kind.gid == 0)) return fd;
  if (fchownat(fd, "", kind.uid, kind.gid, EMPTY_PATH) == 0) return fd;
  close(fd);
  return -1;
}

/* Takes one name off the rest, into `name`; false at the end. */
static bool take_name(struct walk *walk, char name[PATH_MAX]) {
  size_t start = strspn(walk->rest, "/"), length = strcspn(walk->rest + start, "/");
  if (length == 0) return false;
  memcpy(name, walk->rest + start, length);
  name[length] = '\0';
  memmove(walk->rest, walk->rest + start + length, strlen(walk->rest + start + length) + 1);
  return true;
}

static int step(struct walk *walk, const char *name, struct new_entry kind) {
  if (strcmp(name, ".") == 0) return 0;
  if (strcmp(name, "..") == 0) return go_up(walk);
  bool is_last = walk->rest[strspn(walk->rest, "/")] == '\0';
  size_t before = walk->used;
  int fd = open_next(walk, name, is_last || S_ISDIR(kind.mode) ? kind : NEW_FOLDER);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) < 0) return -1;
  if (S_ISLNK(info.st_mode)) {
    walk->done[walk->used = before] = '\0';
    int followed = follow(walk, fd);
    close(fd);
    return followed;
  }
  if (!S_ISDIR(info.st_mode) && (!is_last || S_ISDIR(kind.mode))) {
    close(fd);
    errno = ENOTDIR;
    return -1;
  }
  walk->used = strlen(walk->done);
  return go_to(walk, fd);
}

/* Mostly just the last name is missing: then from its folder, else from the root. */
static void begin(struct walk *walk, const char *path) {
  const char *slash = strrchr(path, '/');
  walk->parent = -1;
  if (slash != NULL && slash != path && strstr(path, "..") == NULL) {
    walk->used = (size_t)(slash - path);
    memcpy(walk->done, path, walk->used);
    walk->done[walk->used] = '\0';
    walk->parent = open_inside(walk->root, walk->done, O_PATH | O_DIRECTORY, walk->resolve | NO_LINK);
  }
  if (walk->parent < 0) {
    slash = path;
    walk->done[walk->used = 0] = '\0';
    walk->parent = open_inside(walk->root, ".", O_PATH | O_DIRECTORY, walk->resolve);
  }
  strcpy(walk->rest, slash);
}

int make_inside(int root, const char *path, uint64_t resolve, struct new_entry kind) {
  int flags = O_PATH | (S_ISDIR(kind.mode) ? O_DIRECTORY : 0);
  int found = open_inside(root, path, flags, resolve);
  if (found >= 0 || errno != ENOENT) return found;
  struct walk walk;
  walk.root = root;
  walk.resolve = resolve;
  walk.links = 0;
  if (strlen(path) >= sizeof walk.rest) {
    errno = ENAMETOOLONG;
    return -1;
  }
  begin(&walk, path);
  char name[PATH_MAX];
  while (walk.parent >= 0 && take_name(&walk, name)) {
    if (step(&walk, name, kind) == 0) continue;
    int error = errno;
    go_to(&walk, -1);
    errno = error;
  }
  return walk.parent;
}

int make_link(int folder, const char *name, const char *content) {
  return symlinkat(content, folder, name) < 0 && errno != EEXIST ? -1 : 0;
}

int make_node(int folder, const char *name, struct new_entry kind, dev_t number) {
  return make_new_node(folder, name, kind, number) < 0 && errno != EEXIST ? -1 : 0;
}

int make_new_node(int folder, const char *name, struct new_entry kind, dev_t number) {
  if (mknodat(folder, name, kind.mode, number) < 0) return -1;
  if (kind.uid == 0 && kind.gid == 0) return 0;
  return fchownat(folder, name, kind.uid, kind.gid, AT_SYMLINK_NOFOLLOW);
}

int remove_node(int folder, const char *name) { return unlinkat(folder, name, 0); }

/* Looks at what it is before it opens it, since opening alone may do something, and once more
 * afterwards, since it may have been exchanged; O_NONBLOCK for that case. -1 with `refusal` when it is
 * of another type. */
static int open_typed(int root, const char *path, int flags, uint64_t resolve, mode_t type,
                      int refusal) {
  struct stat info;
  cleanup_close int look = find_inside(root, path, resolve);
  if (look < 0 || fstat(look, &info) < 0) return -1;
  int fd = -1;
  if ((info.st_mode & S_IFMT) == type) {
    fd = open_inside(root, path, flags | O_NONBLOCK | O_NOCTTY, resolve);
    if (fd < 0 || fstat(fd, &info) < 0) return -1;
    if ((info.st_mode & S_IFMT) == type) return fd;
    close(fd);
  }
  errno = refusal;
  return -1;
}

int open_device(int root, const char *path, dev_t number) {
  struct stat info;
  int fd = open_typed(root, path, O_RDWR, RESOLVE_STRICT, S_IFCHR, ENODEV);
  if (fd < 0) return -1;
  if (fstat(fd, &info) == 0 && info.st_rdev == number) {
    fcntl(fd, F_SETFL, 0);
    return fd;
  }
  close(fd);
  errno = ENODEV;
  return -1;
}

ssize_t read_inside(int root, const char *path, char *buffer, size_t size) {
  cleanup_close int fd = open_typed(root, path, O_RDONLY, RESOLVE_ROOT, S_IFREG, EINVAL);
  if (fd < 0) return -1;
  size_t used = 0;
  while (used < size - 1) {
    ssize_t got = read(fd, buffer + used, size - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    used += (size_t)got;
  }
  buffer[used] = '\0';
  return (ssize_t)used;
}

int enter_folder(int root, const char *path) {
  cleanup_close int fd = open_inside(root, path, O_PATH | O_DIRECTORY, RESOLVE_ROOT);
  if (fd < 0 || fchdir(fd) < 0) return -1;
  /* Outside the root the kernel answers "(unreachable)": never go on from there. */
  char text[4096];
  if (syscall(SYS_getcwd, text, sizeof text) > 0 && text[0] == '/') return 0;
  errno = ENOENT;
  return -1;
}
