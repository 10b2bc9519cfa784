/** What the clocks of a zone show. */
export interface TimeZone {
  /** What to add to a time for the clock to show it as if in UTC. */
  offsetMsAt(ms: number): number;
  /** When the offset is first another than at `fromMs`, until then and no later; undefined for never. */
  nextChangeMs(fromMs: number, untilMs: number): number | undefined;
}

export const UTC: TimeZone = { offsetMsAt: () => 0, nextChangeMs: () => undefined };

/** By its name in the IANA database; undefined if there is none of that name. */
export const timeZoneOf = (name: string): TimeZone | undefined => {
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  const format = formatOf(name);
  if (format === undefined) return undefined;
  const zone = new NamedZone(format);
  // As many as there are names; what tenants make up is none.
  KNOWN.set(name, zone);
  return zone;
};

class NamedZone implements TimeZone {
  constructor(private readonly format: Intl.DateTimeFormat) {}

  offsetMsAt(ms: number): number {
    const secondMs = Math.floor(ms / 1000) * 1000;
    const shown: Record<string, number> = {};
    for (const { type, value } of this.format.formatToParts(secondMs)) shown[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
    return Date.UTC(year, month - 1, day, hour, minute, second) - secondMs;
  }

  nextChangeMs(fromMs: number, untilMs: number): number | undefined {
    const offsetMs = this.offsetMsAt(fromMs);
    for (let sameMs = fromMs; sameMs < untilMs;) {
      const lookMs = Math.min(sameMs + STRIDE_MS, untilMs);
      if (this.offsetMsAt(lookMs) !== offsetMs) return this.bisect(sameMs, lookMs, offsetMs);
      sameMs = lookMs;
    }
    return undefined;
  }

  /** Changes happen at whole seconds. */
  private bisect(sameMs: number, otherMs: number, offsetMs: number): number {
    let same = Math.floor(sameMs / 1000);
    let other = Math.ceil(otherMs / 1000);
    while (other - same > 1) {
      const middle = Math.floor((same + other) / 2);
      if (this.offsetMsAt(middle * 1000) === offsetMs) same = middle;
      else other = middle;
    }
    return other * 1000;
  }
}

const formatOf = (timeZone: string): Intl.DateTimeFormat | undefined => {
  try {
    return new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23' },
      ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
  } catch {
    return undefined;
  }
};

const KNOWN = new Map<string, TimeZone>([['UTC', UTC]]);

/** No zone changes its clocks there and back in less. */
const STRIDE_MS = 7 * 24 * 60 * 60 * 1000;
