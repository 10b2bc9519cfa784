/** What was last told of objects that are looked at again and again: the same words are told once. */
export class LastWords {
  private readonly words = new Map<string, string>();

  /** Whether `text` is to be told now. Undefined: there is nothing to tell, and the next words are new. */
  areNew(uid: string, text: string | undefined): text is string {
    if (text === undefined) {
      this.words.delete(uid);
      return false;
    }
    const isNew = this.words.get(uid) !== text;
    this.words.set(uid, text);
    return isNew;
  }

  forget(uid: string): void {
    this.words.delete(uid);
  }
}
