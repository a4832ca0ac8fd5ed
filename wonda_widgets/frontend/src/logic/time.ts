// Durations and times as text.

/** Format a duration: "12 s", "1 min 05 s", "2 h 10 min". */
export function formatSeconds(count: number): string {
  const whole = Math.max(0, Math.floor(count));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** Format a range of durations in seconds: "28–55 s", "1 min 05 s – 2 min 10 s". */
export function formatSpan(low: number, high: number): string {
  const [from, to] = [Math.floor(low), Math.ceil(high)];
  if (to < 60) return from === to ? `${to} s` : `${from}–${to} s`;
  return `${formatSeconds(from)} – ${formatSeconds(to)}`;
}

/** Always name the day. */
export const WITH_DAY: Intl.DateTimeFormatOptions = {
  weekday: "short",
  day: "numeric",
  month: "short",
};

const LOCALE = "en-GB"; // as the kernel writes times: "27 Nov 2026, 18:00"

/** Format a time (seconds since 1970) in the local zone; the day is omitted for today. */
export function formatMoment(seconds: number, more: Intl.DateTimeFormatOptions = {}): string {
  const then = new Date(seconds * 1000);
  const isToday = then.toDateString() === new Date().toDateString();
  const day = isToday ? {} : WITH_DAY;
  return then.toLocaleString(LOCALE, { ...day, hour: "2-digit", minute: "2-digit", ...more });
}

/** The user's time zone: "Europe/Berlin". */
export const timeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

export const twoDigits = (number: number): string => String(number).padStart(2, "0");
