/** Sizes that suit a browser's memory. */

const OVERVIEW_PIXELS = 16e6; // what every browser gives a canvas, a phone's too
const REDUCTIONS = [1, 2, 4];
const ROOMY = 8; // GiB; the most that browsers admit to

/** The side up to which tiles grow on their own: fewer pixels are computed twice, but a tile needs more memory. */
export function largestTile(): number {
  const memory = (navigator as { deviceMemory?: number }).deviceMemory ?? 0;
  return memory >= ROOMY ? 384 : 256;
}

/** By how much a result is reduced to be shown as a whole. */
export function overviewReduction(width: number, height: number): number {
  return REDUCTIONS.find((by) => (width / by) * (height / by) <= OVERVIEW_PIXELS) ?? (REDUCTIONS.at(-1) as number);
}
