/* The monitor of one process: a container's init, or an exec. One loop, fixed memory. */
#pragma once
#include <time.h>

#include "frames.h"
#include "plan.h"

/* Large buffers are kept apart from what refers to them, so that a monitor touches few pages. */
enum {
  /* Of these places clients of the main process may take some; the rest is for the agent's own
   * affairs: its own connection, execs on their way to a monitor of their own, and refusals. */
  MAX_CONNECTIONS = 40,
  MAX_ATTACHED = 24,
  /* Output may fill the first part of a client's buffer; how the process ended always has room. */
  OUTPUT_BYTES = 64 << 10,
  OUT_BYTES = OUTPUT_BYTES + (4 << 10),
  PIECE_BYTES = 16 << 10
};

/* A client. */
struct connection {
  int fd; /* -1: free */
  bool is_subscribed;
  bool is_attached;
  bool closes_input; /* standard input ends with it, however it goes */
  struct frame_header header;
  size_t header_used;
  char body[16];
  size_t body_used;
  uint64_t stalled_since_ms;
  uint64_t gone_since_ms; /* it has left input behind that nobody takes yet */
  size_t out_start, out_end;
  char *out; /* OUT_BYTES */
};

/* Cuts one stream into log lines. */
struct log_stream {
  const char *name;
  size_t used;
  char *line; /* PIECE_BYTES */
};

struct log {
  const char *path;
  int fd;
  uint64_t size, max_bytes;
  uint32_t max_files;
  /* Whole lines in this file and all before it; unknown when it goes on a file of another's. */
  uint64_t lines;
  bool counts_lines;
  struct log_stream streams[2];
};

/* Counts the kernel's out-of-memory kills in one cgroup. */
struct oom_watch {
  int dir;   /* of the cgroup; -1: not watched */
  int event; /* polls readable when the counter may have moved; -1: it cannot be told */
  uint64_t seen, check_until_ms;
};

struct monitor {
  struct plan *plan;
  bool is_exec;
  enum container_status status;
  bool is_ready, start_sent, timed_out, child_gone, quits;
  bool has_entered, is_killed, reap_due; /* exec: the keeper is there; its program is to die */
  bool polls_output; /* in this round */
  pid_t child;    /* init, or an exec's entry and then its keeper */
  pid_t entry;    /* exec: to be reaped when `child` is the keeper; 0: was */
  pid_t program;  /* exec: leads the group to kill; another runtime's: the init; 0: not yet, or ended */
  int program_fd; /* its pidfd */
  int child_fd;  /* pidfd */
  int socket;    /* to the child */
  int output[2]; /* stdout and stderr, or the pty master and -1 */
  int input;     /* -1 when closed */
  int listener, signals;
  int exit_fd; /* where the end is written down, with room for it */
  size_t input_start, input_end;
  char *input_bytes; /* PIECE_BYTES */
  bool input_closes;
  uint64_t started_at_ms, finished_at_ms, gone_at_ms, deadline_ms;
  uint64_t keeper_due_ms; /* exec: by then the keeper has told the end of its program; 0: not yet */
  struct oom_watch oom;
  uint32_t exit_code, signal_number;
  bool has_exit, oom_killed;
  struct log log;
  struct connection connections[MAX_CONNECTIONS];
  char start_error[1200];
};

/* connection.c */
struct connection *connection_add(struct monitor *monitor, int fd);
void connection_drop(struct monitor *monitor, struct connection *connection);
bool has_place(const struct monitor *monitor);
/* Lets in one who waits at the listener; false when nobody does. */
bool accept_client(struct monitor *monitor);
/* Room for a frame with `length` bytes of output? */
bool connection_fits(const struct connection *connection, size_t length);
/* Queues a frame; drops the connection when there is no room. */
void connection_send(struct monitor *monitor, struct connection *connection, uint32_t type,
                     const void *payload, size_t length);
void connection_flush(struct monitor *monitor, struct connection *connection);
/* Reads and obeys what came. */
void connection_read(struct monitor *monitor, struct connection *connection);
void broadcast(struct monitor *monitor, uint32_t type, const void *payload, size_t length);
void send_state(struct monitor *monitor, struct connection *connection);

/* output.c */
int log_open(struct log *log, const struct plan *plan);
void log_write(struct log *log, int stream, const char *bytes, size_t length);
/* Writes what has no newline yet. */
void log_finish(struct log *log);
/* False when there could be no new file: the old one is still there. */
bool log_rotate(struct log *log);

/* streams.c */
struct stdio;
/* Makes pipes as the plan asks: the child's ends in `stdio`, ours in the monitor. */
int monitor_pipes(struct monitor *monitor, struct stdio *stdio);
/* Writes what is buffered for stdin, as far as it goes, and closes it when that is due. */
void write_input(struct monitor *monitor);
void read_output(struct monitor *monitor, int index);
/* May more output be read? */
bool takes_output(struct monitor *monitor);
/* Has everything been read that the ended process wrote? */
bool is_drained(const struct monitor *monitor, bool had_output);

/* ending.c */
/* Before it is needed: a disk that is full by then would make the exit code unknown. */
int reserve_exit_file(struct monitor *monitor);
void announce_exit(struct monitor *monitor);
void tell_exit(struct monitor *monitor, struct connection *connection);
/* Answers those whose requests came too late, and has clients take the last bytes and go. Closing first
 * would drop what they have not read: a socket that is closed while it holds unread bytes fails its
 * peer's writes, and so its reads. */
void see_off_clients(struct monitor *monitor);

/* children.c */
/* Blocks SIGCHLD; a descriptor that polls readable when a child has ended. */
int watch_children(void);
/* To init; an exec's whole group is killed, whatever the signal. */
void monitor_signal(struct monitor *monitor, int signal_number);
/* One packet from the child. Closing the socket is what a successful execve of init does. */
void read_child(struct monitor *monitor);
void reap(struct monitor *monitor);
/* The program has ended, or is to: what tells of it does so in time, or is ended too. */
void await_keeper(struct monitor *monitor);
void check_keeper(struct monitor *monitor);

/* monitor.c */
void monitor_loop(struct monitor *monitor);
/* NULL when there is no memory. The client is its first connection, subscribed. */
struct monitor *monitor_new(struct plan *plan, int client);
/* Launcher connection handler for FRAME_CREATE; returns the exit status. */
int run_monitor(int client, uint32_t plan_bytes);

/* exec.c: a forked monitor for one further process; never returns. */
_Noreturn void run_exec(struct monitor *container, int client, uint32_t plan_bytes);

/* cgroup.c */
/* Begins to watch the cgroup at `dir`, which may be NULL. */
void watch_oom(struct oom_watch *watch, const char *dir);
uint64_t count_oom_kills(const struct oom_watch *watch);
/* Kills until the cgroup is empty or some seconds passed. */
void kill_cgroup(const char *dir);

/* main.c */
/* Reads a plan of `length` bytes from a client that has promised it. NULL after reporting. */
struct plan *read_plan(int client, uint32_t length);

/* sandbox.c */
int run_sandbox(int client, uint32_t plan_bytes);
int run_unmount(int client, uint32_t plan_bytes);
