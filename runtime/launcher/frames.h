/* Messages on the sockets: { u32 type, u32 payload length } and the payload, little endian.
 * runtime/containers/frames.ts holds the same numbers. */
#pragma once
#include <stdint.h>

struct frame_header {
  uint32_t type;
  uint32_t length;
};

enum frame_type {
  /* To the launcher, one per connection. */
  FRAME_CREATE = 1,  /* plan; the connection becomes the monitor's first */
  FRAME_SANDBOX = 2, /* plan; answer FRAME_OK or FRAME_ERROR */
  FRAME_UNMOUNT = 3, /* plan with paths; answer FRAME_OK */
  FRAME_PING = 4,    /* answer FRAME_OK */
  /* To a monitor. */
  FRAME_START = 10,
  FRAME_KILL = 11, /* u32 signal */
  FRAME_EXEC = 12, /* plan; the connection becomes the process's streams */
  FRAME_ATTACH = 13, /* u32 1: standard input ends with this client */
  FRAME_RESIZE = 14, /* u32 columns, u32 rows */
  FRAME_STDIN = 15,  /* bytes */
  FRAME_CLOSE_STDIN = 16,
  FRAME_ROTATE_LOG = 17,
  FRAME_SUBSCRIBE = 18, /* answer FRAME_STATE */
  /* From launcher, monitor, or a child to its monitor. */
  FRAME_OK = 30,
  FRAME_ERROR = 31, /* u32 errno, step NUL, message NUL */
  FRAME_STATE = 32, /* struct state_frame */
  FRAME_STDOUT = 33,
  FRAME_STDERR = 34,
  FRAME_EXIT = 35, /* struct exit_frame, start error NUL */
  FRAME_OOM = 36,
  FRAME_TERMINAL = 37, /* carries the pty master; only child to monitor */
  FRAME_STARTED = 38,  /* execve succeeded; only child to monitor */
  FRAME_ENTERED = 39,  /* u32 pid of the keeper; only from an exec's entry */
  FRAME_PROGRAM = 40,  /* an exec's program is its sender, or u32 pid; only child to monitor */
};

enum container_status { STATUS_CREATED = 1, STATUS_RUNNING = 2, STATUS_EXITED = 3 };

struct state_frame {
  uint32_t status;
  uint32_t pid;
  uint64_t started_at_ms;
};

struct exit_frame {
  uint32_t exit_code;
  uint32_t signal_number;
  uint32_t oom_killed;
  uint32_t timed_out;
  uint64_t started_at_ms;
  uint64_t finished_at_ms;
};

#define MAX_PLAN_BYTES (4u << 20)
#define MAX_STDIN_FRAME_BYTES (64u << 10)
