/** Small pictures, and an engine that needs no network. */

import type { Kind, Pixels, Planes } from "../src/core/layers";
import type { Engine } from "../src/engine/session";

export const COLOUR: Kind = { grey: false, alpha: false };

/** Pseudo-random pixels, the same each time; opaque unless `alpha`. */
export function noise(width: number, height: number, alpha = false): Pixels {
  const data = new Uint8ClampedArray(4 * width * height);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = i % 4 === 3 && !alpha ? 255 : state >>> 24;
  }
  return { width, height, data };
}

/** Repeats each pixel `scale` times in both directions. */
export function nearest(scale: number): Pick<Engine, "run"> {
  return {
    async run({ width, height, data }: Planes): Promise<Planes> {
      const result = new Float32Array(data.length * scale * scale);
      for (let i = 0; i < result.length; i++) {
        const x = i % (width * scale);
        const y = Math.floor(i / (width * scale)); // counts on through the planes
        result[i] = data[Math.floor(y / scale) * width + Math.floor(x / scale)] as number;
      }
      return { width: width * scale, height: height * scale, data: result };
    },
  };
}
