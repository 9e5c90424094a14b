/** Numbers as a person says them. */

/** >>> duration(75) "1 min 15 s" */
export function duration(seconds: number): string {
  const whole = Math.max(Math.round(seconds), 1);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** >>> bytes(1_612_832) "1.6 MB" */
export function bytes(count: number): string {
  return count < 1e6 ? `${Math.max(Math.round(count / 1e3), 1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** How long the rest takes if it goes on like this, in seconds. */
export function timeLeft(done: number, total: number, seconds: number): number {
  return done === 0 ? Infinity : (seconds / done) * (total - done);
}
