
/** Kinds that nothing acts on yet: all of their specs is warned of. */
export const DECLARED_EFFECTS: Effects = {
    ...OBJECT,
  },
    ...OBJECT,
  },
};
