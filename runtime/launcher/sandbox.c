/* A sandbox is namespaces held by bind mounts, and a shared /dev/shm: no process. */
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "monitor.h"
#include "process.h"

static const char *namespace_file(uint32_t flag) {
  switch (flag) {
    case CLONE_NEWNET: return "/proc/self/ns/net";
    case CLONE_NEWIPC: return "/proc/self/ns/ipc";
    case CLONE_NEWUTS: return "/proc/self/ns/uts";
    default: return NULL;
  }
}

static int pin(const struct plan_path *space) {
  const char *source = namespace_file(space->flag);
  cleanup_close int file = open(space->path, O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (source == NULL || file < 0 || mount(source, space->path, NULL, MS_BIND, NULL) < 0) {
    return fail("namespace", "pin %s", space->path);
  }
  return 0;
}

static int bring_loopback_up(void) {
  cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) return fail("network", "bring lo up");
  return 0;
}

static int set_sysctls(const struct plan *plan) {
  for (size_t i = 0; i < plan->sysctl_count; i++) {
    const struct plan_pair *pair = &plan->sysctls[i];
    char path[512];
    snprintf(path, sizeof path, "/proc/sys/%s", pair->key);
    if (write_host_file(path, pair->value, strlen(pair->value)) < 0) {
      return fail("sysctl", "set %s to \"%s\"", pair->key, pair->value);
    }
  }
  return 0;
}

static int mount_shm(const struct plan *plan) {
  char options[64];
  if (plan->shm_path == NULL) return 0;
  snprintf(options, sizeof options, "mode=1777,size=%llu", (unsigned long long)plan->shm_bytes);
  if (mount("shm", plan->shm_path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0) {
    return fail("mount", "mount the shared memory folder");
  }
  return 0;
}

static int make_sandbox(const struct plan *plan) {
  uint32_t flags = 0;
  for (size_t i = 0; i < plan->pin_count; i++) flags |= plan->pins[i].flag;
  if (unshare((int)flags) < 0) return fail("namespace", "unshare");
  if ((flags & CLONE_NEWUTS) != 0 && plan->hostname != NULL &&
      sethostname(plan->hostname, strlen(plan->hostname)) < 0) {
    return fail("hostname", "set the host name to %s", plan->hostname);
  }
  if ((flags & CLONE_NEWNET) != 0 && bring_loopback_up() < 0) return -1;
  if (set_sysctls(plan) < 0 || mount_shm(plan) < 0) return -1;
  for (size_t i = 0; i < plan->pin_count; i++) {
    if (pin(&plan->pins[i]) < 0) return -1;
  }
  return 0;
}

int run_sandbox(int client, uint32_t plan_bytes) {
  struct plan *plan = read_plan(client, plan_bytes);
  if (plan == NULL || make_sandbox(plan) < 0) return 1;
  return send_frame(client, FRAME_OK, -1) < 0;
}

int run_unmount(int client, uint32_t plan_bytes) {
  struct plan *plan = read_plan(client, plan_bytes);
  if (plan == NULL) return 1;
  for (size_t i = 0; i < plan->path_count; i++) {
    /* A crash halfway may have mounted twice. Bounded, because someone may mount again. */
    for (int round = 0; round < 16; round++) {
      if (umount2(plan->paths[i], MNT_DETACH | UMOUNT_NOFOLLOW) < 0) break;
    }
  }
  return send_frame(client, FRAME_OK, -1) < 0;
}
