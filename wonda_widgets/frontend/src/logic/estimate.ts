// The estimated progress of a job.

/** Points of a curve: after how many seconds which share (0 to 1) of the bar is filled. */
export type Curve = [seconds: number, share: number][];

/** Interpolate the share of the bar after `elapsed` seconds. */
export function shareAfter(curve: Curve, elapsed: number): number {
  const next = curve.findIndex(([at]) => at > elapsed);
  const after = curve[next];
  const before = curve[next - 1];
  if (!after) return curve.at(-1)?.[1] ?? 0;
  if (!before) return after[1];
  const [[from, low], [to, high]] = [before, after];
  return low + ((high - low) * (elapsed - from)) / (to - from);
}
