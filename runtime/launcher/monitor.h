/* The monitor of one process: a container's init, or an exec. One loop, fixed memory. */
#pragma once
#include <time.h>

#include "frames.h"
#include "plan.h"

enum { MAX_CONNECTIONS = 32, OUT_BYTES = 64 << 10, PIECE_BYTES = 16 << 10 };

/* A client. Its buffer is mapped once for all; what was never written costs no memory. */
struct connection {
  int fd; /* -1: free */
  bool is_subscribed;
  bool is_attached;
  struct frame_header header;
  size_t header_used;
  char body[16];
  size_t body_used;
  uint64_t stalled_since_ms;
  size_t out_start, out_end;
  char *out; /* OUT_BYTES, apart from this, so that looking at all clients touches one page */
};

/* Cuts one stream into log lines. */
struct log_stream {
  const char *name;
  size_t used;
  char line[PIECE_BYTES];
};

struct log {
  const char *path;
  int fd;
  uint64_t size, max_bytes;
  uint32_t max_files;
  struct log_stream streams[2];
};

struct monitor {
  struct plan *plan;
  bool is_exec;
  enum container_status status;
  bool is_ready, start_sent, timed_out, child_gone, quits;
  bool polls_output; /* in this round */
  pid_t child;
  int child_fd;  /* pidfd */
  int socket;    /* to the child */
  int output[2]; /* stdout and stderr, or the pty master and -1 */
  int input;     /* -1 when closed */
  int listener, signals, oom;
  size_t input_start, input_end;
  char input_bytes[PIECE_BYTES];
  bool input_closes;
  uint64_t started_at_ms, finished_at_ms, gone_at_ms, deadline_ms, oom_check_until_ms;
  uint64_t oom_seen;
  uint32_t exit_code, signal_number;
  bool has_exit, oom_killed;
  char start_error[1200];
  struct log log;
  struct connection connections[MAX_CONNECTIONS];
};

/* connection.c */
struct connection *connection_add(struct monitor *monitor, int fd);
void connection_drop(struct monitor *monitor, struct connection *connection);
/* Room for a frame of `length` payload bytes? */
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
void log_rotate(struct log *log);

/* monitor.c */
/* Makes pipes as the plan asks: the child's ends in `stdio`, ours in the monitor. */
struct stdio;
int monitor_pipes(struct monitor *monitor, struct stdio *stdio);
void monitor_signal(struct monitor *monitor, int signal_number);
void monitor_loop(struct monitor *monitor);
struct monitor *monitor_new(struct plan *plan, int client);
/* Launcher connection handler for FRAME_CREATE; returns the exit status. */
int run_monitor(int client, uint32_t plan_bytes);

/* exec.c: a forked monitor for one further process; never returns. */
_Noreturn void run_exec(struct monitor *container, int client, uint32_t plan_bytes);

/* cgroup.c */
uint64_t read_oom_kills(const char *dir);
/* A descriptor that polls readable when the counter may have moved, or -1. */
int watch_oom(const char *dir);
/* Kills until the cgroup is empty or some seconds passed. */
void kill_cgroup(const char *dir);

/* main.c */
/* Reads a plan of `length` bytes from a client that has promised it. */
int read_plan(int client, uint32_t length, struct plan *plan);

/* sandbox.c */
int run_sandbox(int client, uint32_t plan_bytes);
int run_unmount(int client, uint32_t plan_bytes);
