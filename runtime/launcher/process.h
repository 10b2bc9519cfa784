/* From a prepared namespace to the user's program. */
#pragma once
#include "plan.h"

/* identity.c */
/* Appends HOME from the root's /etc/passwd when the environment has none. */
int add_home(struct plan *plan);
int drop_bounding_set(uint64_t keep);
int set_user_ids(const struct plan *plan);
int set_capabilities(uint64_t capabilities);

/* process.c */
/* Where the program's stdin, stdout and stderr come from. */
struct stdio {
  int fds[3];
};

/* Opens a pty of the root we are in; stdio becomes its slave. Returns the master. */
int open_terminal(const struct plan *plan, struct stdio *stdio, bool bind_console);
/* Sends a frame without payload, with a descriptor when fd >= 0. */
int send_frame(int socket, uint32_t type, int fd);
int join_cgroups(const struct plan *plan);
int set_oom_score(const struct plan *plan);
/* Session, stdio, signals: what happens before the start signal. Keeps `socket`, now number 3. */
int prepare_process(const struct plan *plan, const struct stdio *stdio, int socket);
/* User, capabilities, then `await_start`, and only what must come after it: seccomp, execve. Returns
 * only after reporting an error. */
int run_process(struct plan *plan, void (*await_start)(void));

/* child.c: the container's init; never returns. */
_Noreturn void run_init(struct plan *plan, int socket, struct stdio stdio);
