/* A process that another runtime makes: its command line, as runc's, creates and starts it, and leaves it
 * to us, the subreaper. We stay outside of the container, wait for its end, and end in the same way. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "monitor.h"
#include "process.h"

/* The text of the last message in the other runtime's log; false when it says nothing. */
static bool read_message(const char *path, char *message, size_t size) {
  static char text[8192];
  struct stat info;
  cleanup_close int fd = path == NULL ? -1 : open_host(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
  if (fd < 0 || fstat(fd, &info) < 0) return false;
  off_t start = info.st_size > (off_t)sizeof text - 1 ? info.st_size - (off_t)sizeof text + 1 : 0;
  ssize_t got = pread(fd, text, sizeof text - 1, start);
  text[got < 0 ? 0 : got] = '\0';
  const char *last = NULL;
  for (char *at = text; (at = strstr(at, "\"msg\":")) != NULL; at++) last = at;
  if (last == NULL || (last = strchr(last + 6, '"')) == NULL) return false;
  size_t used = 0;
  for (last++; *last != '\0' && *last != '"' && used + 1 < size; last++) {
    if (*last == '\\' && last[1] != '\0') last++;
    /* An escaped line end is the only one of its kind that errors have. */
    bool is_end = *last == 'n' && last[-1] == '\\';
    message[used++] = is_end || (unsigned char)*last < ' ' ? ' ' : *last;
  }
  message[used] = '\0';
  return used > 0;
}

/* Runs it to its end; with the container's streams, or with none. */
static int run_tool(const struct plan *plan, char **args, bool is_quiet, const char *what) {
  char message[900];
  int status = 0;
  pid_t pid = fork_with(0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = is_quiet ? open_host(AT_FDCWD, "/dev/null", O_RDWR, 0) : -1;
    for (int i = 0; null >= 0 && i < 3; i++) dup2(null, i);
    execve(args[0], args, plan->env);
    _exit(127);
  }
  if (pid < 0) return fail("handler", "fork");
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  errno = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return fail("handler", "cannot run %s", args[0]);
  if (read_message(plan->tool_log, message, sizeof message)) return fail("handler", "%s", message);
  return fail("handler", "%s: %s failed with status %d", args[0], what,
              WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* -1 without a terminal, and after reporting. */
static int listen_for_console(const struct plan *plan) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(plan->console_path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return fail("terminal", "listen at %s", plan->console_path);
  }
  strcpy(address.sun_path, plan->console_path);
  unlink(address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bool listens = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0;
  return listens ? fd : fail("terminal", "listen at %s", plan->console_path);
}

/* Who has created the process has sent it before. */
static int take_console(int listener) {
  char bytes[256];
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec part = {bytes, sizeof bytes};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
  int master = -1;
  cleanup_close int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (client < 0 || recvmsg(client, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) {
    return fail("terminal", "no terminal came");
  }
  struct cmsghdr *entry = CMSG_FIRSTHDR(&message);
  if (entry != NULL && entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SCM_RIGHTS) {
    memcpy(&master, CMSG_DATA(entry), sizeof master);
  }
  errno = 0;
  return master < 0 ? fail("terminal", "no terminal came") : master;
}

static int hand_over_console(int listener) {
  if (listener < 0) return 0;
  cleanup_close int master = take_console(listener);
  if (master < 0) return -1;
  return send_frame(3, FRAME_TERMINAL, master) < 0 ? fail("terminal", "hand it over") : 0;
}

static pid_t read_pid(const struct plan *plan) {
  char text[32];
  pid_t pid = read_host_file(plan->pid_file, text, sizeof text) < 0 ? 0 : (pid_t)strtol(text, NULL, 10);
  errno = 0;
  return pid > 1 ? pid : fail("handler", "%s has written no process number", plan->args[0]);
}

/* Returns its number. It is our child then, or will be: its parent, the tool, has ended. */
static pid_t make(const struct plan *plan, const char *what) {
  bool has_console = plan->tty && plan->console_path != NULL;
  cleanup_close int listener = has_console ? listen_for_console(plan) : -1;
  if (has_console && listener < 0) return -1;
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  int made = run_tool(plan, plan->args, false, what);
  if (made == 0) made = hand_over_console(listener);
  if (has_console) unlink(plan->console_path);
  return made < 0 ? -1 : read_pid(plan);
}

/* Reaps also what the other runtime has left beside it. */
static int wait_for(pid_t pid) {
  int status;
  for (;;) {
    pid_t ended = waitpid(-1, &status, 0);
    if (ended == pid) return status;
    /* Never ours: whoever takes such a process for its own would wait for ever. */
    if (ended < 0 && errno == ECHILD) return 128 << 8;
  }
}

/* Nothing is inherited that would keep the monitor from seeing the end of the streams. */
static void let_go_of_streams(void) {
  int null = open_host(AT_FDCWD, "/dev/null", O_RDWR, 0);
  for (int i = 0; i < 3; i++) {
    if (null >= 0) dup2(null, i);
    else close(i);
  }
}

int supervise_init(const struct plan *plan) {
  pid_t pid = make(plan, "create");
  if (pid < 0 || send_number(3, FRAME_PROGRAM, (uint32_t)pid) < 0) return -1;
  if (run_tool(plan, plan->start_args, true, "start") < 0) return -1;
  let_go_of_streams();
  /* By its end the monitor learns that the process runs. */
  close(3);
  int status = wait_for(pid);
  if (WIFSIGNALED(status)) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    kill(getpid(), WTERMSIG(status));
    /* Of those that were handled or blocked before. */
    _exit(128 + WTERMSIG(status));
  }
  _exit(WEXITSTATUS(status));
}

int supervise_exec(const struct plan *plan) {
  pid_t pid = make(plan, "exec");
  if (pid < 0 || send_number(3, FRAME_PROGRAM, (uint32_t)pid) < 0) return -1;
  let_go_of_streams();
  send_frame(3, FRAME_STARTED, -1);
  send_exit(3, wait_for(pid));
  return 0;
}
