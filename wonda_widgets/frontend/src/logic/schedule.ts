// Local times of a post, also on the days when daylight saving time starts and ends.

import { twoDigits } from "./time";

const MIN_MINUTES_AHEAD = 5;
const MAX_DAYS_AHEAD = 29;

/** Format a local time for a `datetime-local` input: "2026-12-01T18:00". */
export const toInput = (date: Date): string =>
  `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}` +
  `T${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;

/** The moments for a local time: none if daylight saving time skips it, two if it occurs twice. */
export function momentsOf(text: string): Date[] {
  const first = new Date(text);
  if (Number.isNaN(first.getTime())) return [];
  const wanted = text.slice(0, 16);
  return [-120, -90, -60, -30, 0, 30, 60, 90, 120]
    .map((minutes) => new Date(first.getTime() + minutes * 60_000))
    .filter((date) => toInput(date) === wanted);
}

/** The offset of the local zone from UTC at a time: "+02:00". */
export function utcOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  const sign = minutes < 0 ? "-" : "+";
  return `${sign}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`;
}

const minutesAhead = (minutes: number, now: Date): Date =>
  new Date(now.getTime() + minutes * 60_000);

/** The earliest and the latest time that can be chosen, for a `datetime-local` input. */
export const limits = (now: Date): { min: string; max: string } => ({
  min: toInput(minutesAhead(MIN_MINUTES_AHEAD + 1, now)),
  max: toInput(minutesAhead(MAX_DAYS_AHEAD * 24 * 60, now)),
});

/** A first suggestion: the next full hour that is more than one away. */
export function suggestion(now: Date): string {
  const hour = minutesAhead(120, now);
  hour.setMinutes(0);
  return toInput(hour);
}

/** Why a local time cannot be used; empty if it can. `chosen` is its moment, if there is one. */
export function timeProblem(text: string, chosen: Date | null, now: Date): string {
  if (!text) return "Choose a date and time.";
  const clock = text.slice(11, 16);
  if (!momentsOf(text).length)
    return `${clock} doesn’t exist on that day: it is skipped when daylight saving time starts.`;
  if (!chosen) return `${clock} occurs twice on that day: choose the first or the second.`;
  if (chosen < now) return "This time is in the past.";
  if (chosen < minutesAhead(MIN_MINUTES_AHEAD, now))
    return `Choose a time at least ${MIN_MINUTES_AHEAD} minutes ahead.`;
  if (chosen > minutesAhead(MAX_DAYS_AHEAD * 24 * 60, now))
    return `Choose a time at most ${MAX_DAYS_AHEAD} days from now.`;
  return "";
}
