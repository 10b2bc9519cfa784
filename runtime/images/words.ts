/** What others wrote, fit to stand in a message of ours: one line, bounded, without control codes. */
export const inOneLine = (text: string, lengthMax: number): string => {
  const start = text.length > lengthMax ? `${text.slice(0, lengthMax)}...` : text;
  return start.replace(/\p{Cc}+/gu, ' ').trim();
};
