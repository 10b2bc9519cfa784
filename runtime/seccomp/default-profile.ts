import { type Profile, type ProfileOperator, type ProfileRule } from './profile';

/**
 * What a container may call unless its pod says otherwise: the rules Docker and containerd apply, for
 * x86-64 with its two 32-bit modes. Conditions look at the bounding set of capabilities. What is not
 * named fails with EPERM; what is newer than all names fails with ENOSYS, so that libc falls back.
 */
const names = (text: string): readonly string[] => text.trim().split(/\s+/);

const FILES = names(`
  access faccessat faccessat2 chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32
  creat open openat openat2 close close_range dup dup2 dup3 fcntl fcntl64 flock umask
  read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek
  copy_file_range sendfile sendfile64 splice tee vmsplice readahead fadvise64 fadvise64_64 fallocate
  truncate truncate64 ftruncate ftruncate64 sync syncfs fsync fdatasync sync_file_range cachestat
  stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
  link linkat symlink symlinkat unlink unlinkat readlink readlinkat rename renameat renameat2
  mkdir mkdirat rmdir mknod mknodat getdents getdents64 chdir fchdir getcwd name_to_handle_at
  utime utimes futimesat utimensat utimensat_time64 statmount listmount
  getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
  listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
  landlock_create_ruleset landlock_add_rule landlock_restrict_self
`);

const WAITING = names(`
  poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 pipe pipe2 ioctl
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
  eventfd eventfd2 signalfd signalfd4
  timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
  io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64
`);

const SOCKETS = names(`
  socketpair socketcall bind listen accept accept4 connect shutdown getsockname getpeername
  getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
`);

const MEMORY = names(`
  brk mmap mmap2 munmap mremap mprotect madvise mincore msync mseal remap_file_pages
  mlock mlock2 mlockall munlock munlockall memfd_create memfd_secret membarrier map_shadow_stack
  pkey_alloc pkey_free pkey_mprotect process_mrelease
`);

const IPC = names(`
  ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64
  shmat shmctl shmdt shmget mq_open mq_unlink mq_notify mq_getsetattr
  mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64
  futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue get_robust_list set_robust_list
`);

const PROCESSES = names(`
  execve execveat exit exit_group fork vfork wait4 waitid waitpid
  getpid getppid gettid getpgid getpgrp setpgid getsid setsid pidfd_open pidfd_send_signal
  prctl seccomp rseq set_tid_address get_thread_area set_thread_area getcpu uname sysinfo getrandom
  getrlimit setrlimit ugetrlimit prlimit64 getrusage times getpriority setpriority ioprio_get ioprio_set
  sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
  sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
  sched_rr_get_interval sched_rr_get_interval_time64 restart_syscall uretprobe
`);

const SIGNALS = names(`
  kill tkill tgkill pause alarm sigaltstack sigprocmask sigreturn rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
`);

const IDENTITY = names(`
  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32
  getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid setgid32 setgroups setgroups32
  setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32
  setfsuid setfsuid32 setfsgid setfsgid32 capget capset
`);

const TIME = names(`
  time gettimeofday adjtimex nanosleep getitimer setitimer clock_adjtime clock_adjtime64
  clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64
  timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
`);

/** CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: the flags that make a namespace. */
const NAMESPACE_FLAGS = 0x7e020000;

const EPERM = 1;
const ENOSYS = 38;

/** PER_LINUX, UNAME26, their personality without address randomisation marks, and "just tell me". */
const PERSONALITIES = [0, 0x8, 0x20000, 0x20008, 0xffffffff];

const allow = (text: string, more: Omit<ProfileRule, 'names' | 'action'> = {}): ProfileRule => ({
  names: names(text),
  action: 'SCMP_ACT_ALLOW',
  ...more,
});

const allowWith = (capability: string, text: string): ProfileRule =>
  allow(text, { includes: { caps: [`CAP_${capability}`] } });

const argument = (op: ProfileOperator, value: number) => ({ args: [{ index: 0, op, value }] });

export const DEFAULT_PROFILE: Profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  archMap: [
    {
      architecture: 'SCMP_ARCH_X86_64',
      subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    },
  ],
  syscalls: [
    ...[FILES, WAITING, SOCKETS, MEMORY, IPC, PROCESSES, SIGNALS, IDENTITY, TIME].map(
      (group): ProfileRule => ({ names: group, action: 'SCMP_ACT_ALLOW' }),
    ),
    allow('arch_prctl modify_ldt', { includes: { arches: ['amd64'] } }),
    // Before 4.8 a traced process could walk around its own filter.
    allow('ptrace process_vm_readv process_vm_writev', { includes: { minKernel: '4.8' } }),
    // Every family but ALG (38) and VSOCK (40), whose surface reaches past the namespaces.
    allow('socket', argument('SCMP_CMP_LT', 38)),
    allow('socket', argument('SCMP_CMP_EQ', 39)),
    allow('socket', argument('SCMP_CMP_GT', 40)),
    ...PERSONALITIES.map((value) => allow('personality', argument('SCMP_CMP_EQ', value))),

    allow('clone', {
      args: [{ index: 0, op: 'SCMP_CMP_MASKED_EQ', value: NAMESPACE_FLAGS, valueTwo: 0 }],
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    }),
    // Its flags lie behind a pointer no filter can follow; ENOSYS sends libc back to clone.
    {
      names: ['clone3'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: ENOSYS,
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    },
    allowWith(
      'SYS_ADMIN',
      `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
       lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
       quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare`,
    ),
    allowWith('DAC_READ_SEARCH', 'open_by_handle_at'),
    allowWith('SYS_BOOT', 'reboot'),
    allowWith('SYS_CHROOT', 'chroot'),
    allowWith('SYS_MODULE', 'init_module finit_module delete_module'),
    allowWith('SYS_PACCT', 'acct'),
    allowWith(
      'SYS_PTRACE',
      'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
    ),
    allowWith('SYS_RAWIO', 'iopl ioperm'),
    allowWith('SYS_TIME', 'settimeofday stime clock_settime clock_settime64'),
    allowWith('SYS_TTY_CONFIG', 'vhangup'),
    allowWith('SYS_NICE', 'get_mempolicy set_mempolicy set_mempolicy_home_node mbind'),
    allowWith('SYSLOG', 'syslog'),
    allowWith('BPF', 'bpf'),
    allowWith('PERFMON', 'perf_event_open'),
  ],
};
