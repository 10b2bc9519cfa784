/* From a prepared namespace to the user's program. */
#pragma once
#include "plan.h"

/* identity.c */
/* Appends HOME from the root's /etc/passwd when the environment has none. */
int add_home(struct plan *plan, int root);
int drop_bounding_set(uint64_t keep);
int set_user_ids(const struct plan *plan);
int set_capabilities(uint64_t capabilities);

/* process.c */
/* Where the program's stdin, stdout and stderr come from. */
struct stdio {
  int fds[3];
};

/* Opens a terminal of `root`, of its size. Returns the master. */
int open_terminal(const struct plan *plan, int root, int *terminal);
/* Sends a frame, with a descriptor when fd >= 0. */
int send_frame(int socket, uint32_t type, int fd);
int send_number(int socket, uint32_t type, uint32_t number);
/* An exec's end, by the status of its program. */
void send_exit(int socket, int status);
int join_cgroups(const struct plan *plan);
int set_oom_score(const struct plan *plan);
/* Standard streams; keeps `socket`, now number 3, and closes all else. */
int place_descriptors(const struct plan *plan, const struct stdio *stdio, int socket);
/* A session of its own, with the terminal if there is one, and no signal ignored or blocked. */
int lead_session(const struct plan *plan);
/* Becomes the user, in its working directory, with what it may have. Without no_new_privs CAP_SYS_ADMIN
 * stays until `load_filter`, which needs it. */
int become_user(struct plan *plan);
int load_filter(const struct plan *plan);
/* Becomes the program; returns only after reporting an error. */
int run_program(const struct plan *plan);

/* confine.c */
/* For a process that only waits and kills from now on: takes everything else from it. */
int confine_keeper(void);

/* supervise.c: a process that another runtime makes, by a command line as runc's. */
static inline bool is_supervised(const struct plan *plan) { return plan->pid_file != NULL; }
/* In place of a container's init: has it created and started when told to; ends as it ends. */
int supervise_init(const struct plan *plan);
/* In place of an exec's keeper: tells of its program and how that ended. */
int supervise_exec(const struct plan *plan);

/* child.c: the container's init; never returns. */
/* Its first process, as a fork of this one: in a pid namespace of its own, or in another container's.
 * -1 after reporting. */
pid_t fork_init(const struct plan *plan);
_Noreturn void run_init(struct plan *plan, int socket, struct stdio stdio);
