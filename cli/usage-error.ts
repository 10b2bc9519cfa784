/** What the user asked for makes no sense, or cannot be done: `message` says why and what to do. */
export class UsageError extends Error {}
