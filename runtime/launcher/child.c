/* The container's init, from clone to execve. */
#include <sys/prctl.h>

#include "frames.h"
#include "process.h"
#include "rootfs.h"

static int join_namespaces(const struct plan *plan) {
  for (size_t i = 0; i < plan->namespace_count; i++) {
    const struct plan_path *space = &plan->namespaces[i];
    cleanup_close int fd = open_file(AT_FDCWD, space->path, O_RDONLY, 0);
    if (fd < 0 || setns(fd, (int)space->flag) < 0) {
      return fail("namespace", "join %s", space->path);
    }
  }
  return 0;
}

/* Once; from `prepare_process` on the socket is number 3. No byte: the monitor is gone. */
static void await_start(void) {
  static bool has_started;
  char start;
  if (!has_started && read(3, &start, 1) != 1) _exit(128);
  has_started = true;
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
  /* What is left to do overlaps with the client's next step. It is told here already; should one of
   * the rest fail, the start will say so. */
  if (send_frame(3, FRAME_OK, -1) < 0) _exit(128);
  if (leave_old_root() == 0) run_process(plan, await_start);
  await_start();
  _exit(128);
}
