/* probe FILTER NR:ARG0... loads a filter, makes each call, prints its errno (0: it succeeded). */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  static struct sock_filter code[4096];
  int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
  ssize_t size = read(fd, code, sizeof code);
  struct sock_fprog program = {(unsigned short)(size / 8), code};
  if (fd < 0 || size <= 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 2;
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) return 3;
  for (int i = 2; i < argc; i++) {
    char *colon = strchr(argv[i], ':');
    errno = 0;
    long result = syscall(atol(argv[i]), atol(colon + 1), 0, 0, 0, 0, 0);
    printf("%d\n", result < 0 ? errno : 0);
  }
  return 0;
}
