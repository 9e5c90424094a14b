/** What is wholly clear or wholly opaque stays so, as in `runtime/tiles/running.py`: a network's zero is not quite 0. */

import type { Planes } from "./layers";

/**
 * A tile's layers as the network enlarged them; of two, the second is alpha, and is settled in place: where a pixel of
 * the given alpha and its eight neighbours are all 0 or all 1, so are its pixels of the enlarged alpha.
 */
export function settle(given: readonly Planes[], enlarged: readonly Planes[]): void {
  const [, alpha] = given;
  const [, result] = enlarged;
  if (alpha === undefined || result === undefined) return;
  const scale = result.width / alpha.width;
  for (let y = 0; y < alpha.height; y++) {
    for (let x = 0; x < alpha.width; x++) {
      const value = alpha.data[y * alpha.width + x] as number;
      if ((value === 0 || value === 1) && isAllAround(alpha, x, y, value))
        fill(result, x * scale, y * scale, scale, value);
    }
  }
}

function isAllAround({ width, height, data }: Planes, x: number, y: number, value: number): boolean {
  for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
    for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
      if (data[row * width + column] !== value) return false;
    }
  }
  return true;
}

/** A square of all three planes. */
function fill({ width, height, data }: Planes, left: number, top: number, side: number, value: number): void {
  for (let plane = 0; plane < 3; plane++) {
    for (let row = top; row < top + side; row++) {
      const from = (plane * height + row) * width + left;
      data.fill(value, from, from + side);
    }
  }
}
