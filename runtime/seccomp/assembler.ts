/** A place in the program, counted in instructions from its end. */
export type Label = number;

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly jumpTrue: Label | undefined;
  readonly jumpFalse: Label | undefined;
}

/**
 * Writes classic BPF from the last instruction to the first. Jumps only go forward, so every target
 * exists before the jump to it, and distances are known at once. Each method returns the label of
 * what it wrote, and runs on into the label written before it.
 */
export class Assembler {
  /** Last instruction first. */
  private readonly instructions: Instruction[] = [];
  private readonly returns = new Map<number, Label>();

  /** The number of instructions so far. */
  get length(): number {
    return this.instructions.length;
  }

  /** Reuses a near one. */
  returnValue(value: number): Label {
    const known = this.returns.get(value);
    if (known !== undefined && this.length - known < NEAR) return known;
    const label = this.push({ code: RETURN, k: value });
    this.returns.set(value, label);
    return label;
  }

  loadWord(offset: number): Label {
    return this.push({ code: LOAD_WORD, k: offset });
  }

  and(mask: number): Label {
    return this.push({ code: AND, k: mask });
  }

  jump(test: JumpTest, k: number, whenTrue: Label, whenFalse: Label): Label {
    if (whenTrue === whenFalse) return this.goto(whenTrue);
    const jumpTrue = this.reachable(whenTrue);
    const jumpFalse = this.reachable(whenFalse);
    // Bridging the second may push the first out of reach.
    if (this.distance(jumpTrue) > MAX_OFFSET) return this.jump(test, k, jumpTrue, jumpFalse);
    return this.push({ code: JUMP_CODES[test], k, jumpTrue, jumpFalse });
  }

  /** Makes `label` the next thing to run. */
  goto(label: Label): Label {
    return label === this.length
      ? label
      : this.push({ code: JUMP_ALWAYS, k: this.distance(label) });
  }

  /** The kernel's `struct sock_filter`, in order of execution. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.length * 8);
    const view = new DataView(bytes.buffer);
    this.instructions.toReversed().forEach((instruction, index) => {
      const label = this.length - index;
      const offsetTo = (target: Label | undefined) =>
        target === undefined ? 0 : label - target - 1;
      view.setUint16(index * 8, instruction.code, true);
      view.setUint8(index * 8 + 2, offsetTo(instruction.jumpTrue));
      view.setUint8(index * 8 + 3, offsetTo(instruction.jumpFalse));
      view.setUint32(index * 8 + 4, instruction.k, true);
    });
    return bytes;
  }

  private push(part: Pick<Instruction, 'code' | 'k'> & Partial<Instruction>): Label {
    this.instructions.push({ jumpTrue: undefined, jumpFalse: undefined, ...part });
    return this.length;
  }

  /** From the instruction to be written next. */
  private distance(label: Label): number {
    return this.length - label;
  }

  private reachable(label: Label): Label {
    return this.distance(label) > MAX_OFFSET
      ? this.push({ code: JUMP_ALWAYS, k: this.distance(label) })
      : label;
  }
}

export type JumpTest = 'eq' | 'gt' | 'ge';

/** Offsets of conditional jumps are bytes. */
const MAX_OFFSET = 255;
/** A shared return must stay in reach of the jumps still to be written. */
const NEAR = 200;

const LOAD_WORD = 0x20;
const AND = 0x54;
const RETURN = 0x06;
const JUMP_ALWAYS = 0x05;
const JUMP_CODES: Readonly<Record<JumpTest, number>> = { eq: 0x15, gt: 0x25, ge: 0x35 };
