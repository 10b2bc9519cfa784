import koffi from 'koffi';

/** Whether programs on this machine can open sockets of SCTP; the kernel loads its module for the question. */
export const kernelSpeaksSctp = (): boolean => {
  const socket = openSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
  if (socket < 0) return false;
  close(socket);
  return true;
};

const libc = koffi.load(null);
const openSocket = libc.func('int socket(int, int, int)') as (
  family: number,
  type: number,
  protocol: number,
) => number;
const close = libc.func('int close(int)') as (fd: number) => number;

const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_SCTP = 132;
