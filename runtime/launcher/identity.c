/* Who the program runs as. */
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "inside.h"
#include "process.h"

static bool has_home(const struct plan *plan) {
  for (size_t i = 0; i < plan->env_count; i++) {
    if (strncmp(plan->env[i], "HOME=", 5) == 0) return true;
  }
  return false;
}

/* The sixth field of the user's line in a passwd file, or NULL. Cuts `text` up. */
static char *find_home(char *text, uid_t uid) {
  for (char *line = text; line != NULL && *line != '\0';) {
    char *next = strchr(line, '\n');
    if (next != NULL) *next++ = '\0';
    char *fields[7] = {line};
    int count = 1;
    for (char *at = line; count < 7 && (at = strchr(at, ':')) != NULL;) {
      *at++ = '\0';
      fields[count++] = at;
    }
    char *end;
    if (count >= 6 && *fields[2] != '\0' && strtoul(fields[2], &end, 10) == uid && *end == '\0') {
      return fields[5];
    }
    line = next;
  }
  return NULL;
}

int add_home(struct plan *plan, int root) {
  static char home[512] = "HOME=/";
  if (has_home(plan)) return 0;
  size_t size = 256 << 10;
  char *text = take_memory(size);
  if (text != NULL && read_inside(root, "etc/passwd", text, size) > 0) {
    char *found = find_home(text, plan->uid);
    if (found != NULL && *found == '/') snprintf(home, sizeof home, "HOME=%s", found);
  }
  plan->env[plan->env_count++] = home;
  return 0;
}

int drop_bounding_set(uint64_t keep) {
  for (int capability = 0; capability < 64; capability++) {
    if ((keep >> capability & 1) != 0) continue;
    /* EINVAL: past the last one this kernel knows. */
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
      return errno == EINVAL ? 0 : fail("capabilities", "drop %d from the bounding set", capability);
    }
  }
  return 0;
}

/* By system call: libc's versions do more than one thread needs. */
int set_user_ids(const struct plan *plan) {
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return fail("user", "keep capabilities");
  if (syscall(SYS_setgroups, plan->gid_count, plan->gids) < 0) return fail("user", "set groups");
  if (syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) < 0) {
    return fail("user", "set gid %u", plan->gid);
  }
  if (syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) < 0) {
    return fail("user", "set uid %u", plan->uid);
  }
  return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ? fail("user", "keep capabilities") : 0;
}

int set_capabilities(uint64_t capabilities) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  if (syscall(SYS_capget, &header, data) < 0) return fail("capabilities", "capget");
  for (int i = 0; i < 2; i++) {
    /* Never more than we have: this host may lack some. */
    data[i].permitted &= (uint32_t)(capabilities >> (32 * i));
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, data) < 0) return fail("capabilities", "capset");
  return 0;
}
