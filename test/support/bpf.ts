/** What a filter sees of a system call. */
export interface SeccompData {
  readonly arch: number;
  readonly nr: number;
  readonly args?: readonly bigint[];
}

export const AUDIT_ARCH_X86_64 = 0xc000003e;
export const AUDIT_ARCH_I386 = 0x40000003;
export const X32_BIT = 0x40000000;

/** Runs a classic BPF program of the kind seccomp takes; returns its value and the steps it took. */
export const runBpf = (program: Uint8Array, data: SeccompData) => {
  const input = inputOf(data);
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  let accumulator = 0;
  for (let pc = 0, steps = 1; pc * 8 < program.length; pc++, steps++) {
    const k = code.getUint32(pc * 8 + 4, true);
    const jumpIf = (holds: boolean) => (pc += code.getUint8(pc * 8 + (holds ? 2 : 3)));
    const opcode = code.getUint16(pc * 8, true);
    if (opcode === 0x06) return { value: k, steps };
    else if (opcode === 0x20) accumulator = input.getUint32(k, true);
    else if (opcode === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (opcode === 0x05) pc += k;
    else if (opcode === 0x15) jumpIf(accumulator === k);
    else if (opcode === 0x25) jumpIf(accumulator > k);
    else if (opcode === 0x35) jumpIf(accumulator >= k);
    else throw new Error(`opcode 0x${opcode.toString(16)} at ${pc}`);
  }
  throw new Error('ran off the end of the program');
};

const inputOf = ({ arch, nr, args = [] }: SeccompData): DataView => {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(0, nr >>> 0, true);
  view.setUint32(4, arch, true);
  args.forEach((arg, index) => view.setBigUint64(16 + index * 8, BigInt.asUintN(64, arg), true));
  return view;
};
