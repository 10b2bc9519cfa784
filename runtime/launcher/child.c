/* The container's init, from clone to execve. */
#include <sys/prctl.h>

#include "frames.h"
#include "process.h"
#include "rootfs.h"

static int join_namespaces(const struct plan *plan) {
  for (size_t i = 0; i < plan->namespace_count; i++) {
    const struct plan_path *space = &plan->namespaces[i];
    cleanup_close int fd = open(space->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, (int)space->flag) < 0) {
      return fail("namespace", "join %s", space->path);
    }
  }
  return 0;
}

static int set_up(struct plan *plan, int socket, struct stdio *stdio) {
  /* The cgroup first: the new cgroup namespace has its root where we are then. */
  if (join_cgroups(plan) < 0 || set_oom_score(plan) < 0 || join_namespaces(plan) < 0) return -1;
  if (unshare((int)(plan->unshare_flags & ~(unsigned)CLONE_NEWPID)) < 0) {
    return fail("namespace", "unshare");
  }
  if (enter_root(plan) < 0) return -1;
  if (plan->tty) {
    cleanup_close int master = open_terminal(plan, stdio, true);
    if (master < 0) return -1;
    if (send_frame(socket, FRAME_TERMINAL, master) < 0) return fail("terminal", "hand it over");
  }
  return prepare_process(plan, stdio, socket);
}

void run_init(struct plan *plan, int socket, struct stdio stdio) {
  report_fd = socket;
  prctl(PR_SET_NAME, "dhow-init");
  if (set_up(plan, socket, &stdio) < 0) _exit(128);
  char start;
  /* From here on the socket is number 3. No byte: the monitor is gone. */
  if (send_frame(3, FRAME_OK, -1) < 0 || read(3, &start, 1) != 1) _exit(128);
  run_process(plan);
  _exit(128);
}
