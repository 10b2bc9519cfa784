/* The container's init, from clone to execve. */
#include <sys/prctl.h>

#include "frames.h"
#include "process.h"
#include "rootfs.h"

static int join_namespaces(const struct plan *plan) {
  for (size_t i = 0; i < plan->namespace_count; i++) {
    const struct plan_path *space = &plan->namespaces[i];
    cleanup_close int fd = open_host(AT_FDCWD, space->path, O_RDONLY, 0);
    if (fd < 0 || setns(fd, (int)space->flag) < 0) {
      return fail("namespace", "join %s", space->path);
    }
  }
  return 0;
}

/* Is the process, whose number may be another one's by now, in the cgroup that it was in? */
static bool is_in_cgroup(pid_t pid, const char *name) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
  if (read_host_file(path, text, sizeof text) < 0) return false;
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    const char *last = strrchr(line, '/');
    if (last != NULL && strcmp(last + 1, name) == 0) return true;
  }
  return false;
}

/* Only children see the change; the monitor's other ones, its execs, must not. */
static pid_t fork_beside(pid_t pid, const char *cgroup) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
  cleanup_close int own = open_host(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY, 0);
  cleanup_close int other = open_host(AT_FDCWD, path, O_RDONLY, 0);
  /* Looked at after it was opened: what is open stays that process's. */
  if (own < 0 || other < 0 || !is_in_cgroup(pid, cgroup)) {
    errno = ESRCH;
    return fail("namespace", "find the container whose processes are to be seen");
  }
  if (setns(other, CLONE_NEWPID) < 0) return fail("namespace", "join %s", path);
  pid_t child = fork_with(0);
  if (child == 0) return 0;
  if (child < 0) fail("clone", "make the first process");
  if (setns(own, CLONE_NEWPID) < 0) return fail("namespace", "come back from %s", path);
  return child;
}

pid_t fork_init(const struct plan *plan) {
  if (plan->pid_of > 0) return fork_beside(plan->pid_of, plan->pid_cgroup);
  pid_t child = fork_with(plan->unshare_flags & CLONE_NEWPID);
  return child < 0 ? fail("clone", "make the first process") : child;
}

/* Once; from `place_descriptors` on the socket is number 3. No byte: the monitor is gone. */
static void await_start(void) {
  static bool has_started;
  char start;
  if (!has_started && read(3, &start, 1) != 1) _exit(128);
  has_started = true;
}

/* The terminal, or the container's own null device where the client keeps no stdin open: one of the
 * host's could be changed from inside. */
static int use_devices(const struct plan *plan, const struct devices *devices, int socket,
                       struct stdio *stdio) {
  if (stdio->fds[0] < 0) stdio->fds[0] = devices->null;
  if (plan->tty) {
    for (int i = 0; i < 3; i++) stdio->fds[i] = devices->terminal;
    if (send_frame(socket, FRAME_TERMINAL, devices->master) < 0) return fail("terminal", "hand it over");
  }
  errno = 0;
  return stdio->fds[0] < 0 ? fail("plan", "it makes no terminal or null device") : 0;
}

/* The other runtime joins cgroup and namespaces by itself; where a terminal comes from it says then. */
static int set_up_supervised(struct plan *plan, int socket, struct stdio *stdio) {
  if (unshare(CLONE_NEWNS) < 0) return fail("namespace", "unshare");
  if (build_root(plan) < 0) return -1;
  int null = open_host(AT_FDCWD, "/dev/null", O_RDWR, 0);
  if (null < 0) return fail("stdio", "open /dev/null");
  for (int i = 0; i < 3; i++) {
    if (stdio->fds[i] < 0) stdio->fds[i] = null;
  }
  return place_descriptors(plan, stdio, socket) < 0 ? -1 : lead_session(plan);
}

static int set_up(struct plan *plan, int socket, struct stdio *stdio) {
  if (is_supervised(plan)) return set_up_supervised(plan, socket, stdio);
  /* The cgroup first: the new cgroup namespace has its root where we are then. */
  if (join_cgroups(plan) < 0 || set_oom_score(plan) < 0 || join_namespaces(plan) < 0) return -1;
  if (unshare((int)(plan->unshare_flags & ~(unsigned)CLONE_NEWPID)) < 0) {
    return fail("namespace", "unshare");
  }
  struct devices devices = {-1, -1, -1};
  if (enter_root(plan, &devices) < 0 || use_devices(plan, &devices, socket, stdio) < 0) return -1;
  return place_descriptors(plan, stdio, socket) < 0 ? -1 : lead_session(plan);
}

/* Among the processes of another container nobody without CAP_SYS_PTRACE may look into this one before
 * its program runs: until then it knows more than the container may. A change of user undoes it. */
static int hide(const struct plan *plan) {
  return plan->pid_of > 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
             ? fail("process", "keep others from looking into it")
             : 0;
}

/* The filter comes after the wait, because it may forbid to read. */
static int run(struct plan *plan) {
  if (is_supervised(plan)) {
    await_start();
    return supervise_init(plan);
  }
  if (leave_old_root() < 0 || become_user(plan) < 0 || hide(plan) < 0) return -1;
  await_start();
  return load_filter(plan) < 0 ? -1 : run_program(plan);
}

void run_init(struct plan *plan, int socket, struct stdio stdio) {
  report_fd = socket;
  prctl(PR_SET_NAME, "dhow-init");
  if (hide(plan) < 0 || set_up(plan, socket, &stdio) < 0) _exit(128);
  /* What is left to do overlaps with the client's next step. It is told here already; should one of
   * the rest fail, the start will say so. */
  if (send_frame(3, FRAME_OK, -1) < 0) _exit(128);
  run(plan);
  await_start();
  _exit(128);
}
