/* Everything that is looked up, opened or made inside a container, whose files are not to be trusted:
 * always by a descriptor of its root, never blocking, and with its type checked. No other file of the
 * launcher opens a path there. */
#pragma once
#include "launcher.h"

#define RESOLVE_ROOT 0x12   /* RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: links are followed inside */
#define RESOLVE_STRICT 0x16 /* ... and no link is followed at all */
#define RESOLVE_INSIDE 0x0a /* RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS: a link that leaves is an error */

/* How what is missing is made: a folder or an empty file, by the type in `mode`. All zero but the mode
 * leaves the owner to the kernel. Folders above are made alike, or for a file 0755. */
struct new_entry {
  mode_t mode;
  uid_t uid;
  gid_t gid;
};

/* What an image lacks. */
#define NEW_FOLDER ((struct new_entry){.mode = S_IFDIR | 0755})
#define NEW_FILE ((struct new_entry){.mode = S_IFREG | 0644})

/* Of the container that this process has entered; nothing of the host may be left below it. */
int open_root(void);
/* An O_PATH descriptor of what is at `path` in `root`. */
int find_inside(int root, const char *path, uint64_t resolve);
/* The same; what is missing is made first. With RESOLVE_ROOT a link to nothing is followed, and what it
 * names is made inside the root, as runc does. */
int make_inside(int root, const char *path, uint64_t resolve, struct new_entry kind);
/* A link or device in an open folder; one that is there already stays as it is. */
int make_link(int folder, const char *name, const char *content);
int make_node(int folder, const char *name, struct new_entry kind, dev_t number);
/* The same, but EEXIST when there is anything already; and its end. */
int make_new_node(int folder, const char *name, struct new_entry kind, dev_t number);
int remove_node(int folder, const char *name);
/* Reading and writing; ENODEV when it is anything but the character device `number`. Passes no link. */
int open_device(int root, const char *path, dev_t number);
/* The first size - 1 bytes of a regular file, ended with NUL; EINVAL when it is anything else. */
ssize_t read_inside(int root, const char *path, char *buffer, size_t size);
/* Makes `path` the working directory, by the rights this process has now. */
int enter_folder(int root, const char *path);
