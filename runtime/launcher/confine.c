/* What is left to a process that lies in a container for as long as an exec runs, beside its program. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "process.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#else
#error "name this architecture as the kernel's audit does"
#endif

#ifdef __SANITIZE_ADDRESS__
#define OTHERWISE SECCOMP_RET_ALLOW /* the sanitizers call what they like */
#else
#define OTHERWISE SECCOMP_RET_KILL_PROCESS
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(number) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), RETURN(SECCOMP_RET_ALLOW)

/* Waiting, talking to the monitor, killing with the rights of the program, and ending. It opens nothing,
 * makes nothing and cannot become another program: whoever takes it over gains nothing. */
static struct sock_filter keeper_filter[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
    RETURN(OTHERWISE),
    LOAD(nr),
#ifdef SYS_poll
    ALLOW(SYS_poll),
#endif
    ALLOW(SYS_ppoll),
    ALLOW(SYS_read),
    ALLOW(SYS_close),
#ifdef SYS_recvfrom
    ALLOW(SYS_recvfrom),
#endif
#ifdef SYS_sendto
    ALLOW(SYS_sendto),
#endif
    ALLOW(SYS_recvmsg),
    ALLOW(SYS_sendmsg),
    ALLOW(SYS_wait4),
    ALLOW(SYS_waitid),
    ALLOW(SYS_kill),
    ALLOW(SYS_nanosleep),
    ALLOW(SYS_clock_nanosleep),
    ALLOW(SYS_rt_sigreturn),
    ALLOW(SYS_restart_syscall),
    ALLOW(SYS_exit),
    ALLOW(SYS_exit_group),
    RETURN(OTHERWISE),
};

int confine_keeper(void) {
  struct sock_fprog program = {
      .len = sizeof keeper_filter / sizeof *keeper_filter,
      .filter = keeper_filter,
  };
  if (set_capabilities(0) < 0) return -1;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
    return fail("seccomp", "load the keeper's filter");
  }
  return 0;
}
