/* dhow-launcher RUN_DIR: one per node. Accepts, forks, and reaps; each fork serves one request, and
 * the fork for a container stays as its monitor. Losing the launcher harms no container. */
#include <linux/memfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "monitor.h"
#include "process.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

extern char **environ;

struct plan *read_plan(int client, uint32_t length) {
  errno = 0;
  char *bytes = length > MAX_PLAN_BYTES ? NULL : take_memory(length);
  if (bytes == NULL) fail("plan", "%u bytes are too many", length);
  else if (!read_all(client, bytes, length)) fail("plan", "read it");
  else return plan_parse(bytes, length);
  return NULL;
}

static int serve(int client) {
  struct frame_header header;
  struct timeval patience = {.tv_sec = 30};
  report_fd = client;
  /* A client may connect long before it needs us; only then must it get on with it. */
  if (!read_all(client, &header, sizeof header)) return 1;
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  switch (header.type) {
    case FRAME_CREATE: return run_monitor(client, header.length);
    case FRAME_SANDBOX: return run_sandbox(client, header.length);
    case FRAME_UNMOUNT: return run_unmount(client, header.length);
    case FRAME_PING: return send_frame(client, FRAME_OK, -1) < 0;
    default: errno = 0; return fail("request", "unknown type %u", header.type);
  }
}

/* Runs on from a sealed copy in memory: a container that reaches /proc/PID/exe of one of ours must
 * not be able to change the program that the host runs as root. */
static int run_sealed(char **argv) {
  cleanup_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self < 0) return -1;
  int seals = fcntl(self, F_GET_SEALS);
  if (seals >= 0 && (seals & F_SEAL_WRITE) != 0) return 0;
  int copy = memfd_create("dhow-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (copy < 0) copy = memfd_create("dhow-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  struct stat info;
  if (copy < 0 || fstat(self, &info) < 0) return -1;
  for (off_t left = info.st_size; left > 0;) {
    ssize_t sent = sendfile(copy, self, NULL, (size_t)left);
    if (sent <= 0) return -1;
    left -= sent;
  }
  if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
    return -1;
  }
  fexecve(copy, argv, environ);
  return -1;
}

static int listen_in(const char *dir) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/launcher.sock", dir);
  if (length >= (int)sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  unlink(address.sun_path);
  umask(0177);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 512) < 0) {
    return -1;
  }
  umask(0077);
  return fd;
}

/* Only one launcher serves a folder; the lock goes with the process. */
static int lock_in(const char *dir) {
  char path[4096];
  snprintf(path, sizeof path, "%s/launcher.lock", dir);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) return -1;
  return fd;
}

static void accept_loop(int listener, int lock) {
  for (;;) {
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (client < 0) {
      if (errno != EINTR && errno != ECONNABORTED) usleep(10000);
      continue;
    }
    bool is_root =
        getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
    if (is_root && fork_with(0) == 0) {
      signal(SIGCHLD, SIG_DFL);
      prctl(PR_SET_NAME, "dhow-worker");
      close(listener);
      close(lock);
      _exit(serve(client));
    }
    close(client);
  }
}

/* The first process of namespaces that several containers share. The kernel reaps for who ignores the
 * ends of children, orphans among them. */
static void hold(void) {
  signal(SIGCHLD, SIG_IGN);
  for (;;) pause();
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "hold") == 0) hold();
  if (argc != 2 || argv[1][0] != '/') {
    fprintf(stderr, "usage: dhow-launcher RUN_DIR\n");
    return 2;
  }
  if (run_sealed(argv) < 0) {
    perror("dhow-launcher: cannot run from sealed memory");
    return 1;
  }
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NAME, "dhow-launcher");
  /* Whoever started this may have ignored some: containers would inherit it. */
  for (int i = 1; i < 65; i++) signal(i, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  /* Forks are reaped by the kernel. */
  signal(SIGCHLD, SIG_IGN);
  int lock = lock_in(argv[1]);
  if (lock < 0) {
    if (errno == EWOULDBLOCK) return 0;
    perror("dhow-launcher: cannot lock the run folder");
    return 1;
  }
  int listener = listen_in(argv[1]);
  if (listener < 0 || chdir("/") < 0) {
    perror("dhow-launcher: cannot listen");
    return 1;
  }
  accept_loop(listener, lock);
}
