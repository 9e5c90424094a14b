/** Whether an engine reproduces the stored tile: what ONNX Runtime in Python makes of a small picture. */

import tile from "@stored/stored.json";
import type { Planes } from "../core/layers";
import type { Artifact } from "./bundle_facts";
import type { Precision } from "./candidates";
import { fetchBytes, urlOf } from "./fetch_model";
import type { Engine } from "./session";

const URLS = import.meta.glob<string>("@stored/*.bin", { query: "?url", import: "default", eager: true });

/** How far a result may be from the stored one, in levels of 255. */
export interface Difference {
  readonly worst: number;
  readonly mean: number;
}

/**
 * Floats may be off by their last bits, so by one level. INT8 kernels round ties and products in ways of their own:
 * now and then a step between two layers is another, which spreads to a few pixels.
 */
export const TOLERANCES: Record<Precision, Difference> = {
  fp32: { worst: 1, mean: 0.01 },
  int8: { worst: 16, mean: 0.5 },
};

/** Run the stored tile and compare. */
export async function differenceOnCheck(engine: Engine, artifact: Artifact): Promise<Difference> {
  const [input, expected] = await Promise.all([stored("input"), stored(artifact.file)]);
  const result = await engine.run(planesOf(input, tile.width, tile.height));
  return difference(result, expected);
}

/** How far planes are from bytes [h, w, 3], once they are rounded to bytes. Infinite where sizes or values are wrong. */
export function difference(result: Planes, expected: Uint8Array): Difference {
  const { data, width, height } = result;
  if (data.length !== expected.length) return { worst: Infinity, mean: Infinity };
  const plane = width * height;
  let worst = 0;
  let sum = 0;
  for (let i = 0; i < plane; i++) {
    for (let channel = 0; channel < 3; channel++) {
      const level = Math.round(255 * Math.min(Math.max(data[channel * plane + i] as number, 0), 1));
      const distance = Math.abs(level - (expected[3 * i + channel] as number));
      if (Number.isNaN(distance)) return { worst: Infinity, mean: Infinity };
      worst = Math.max(worst, distance);
      sum += distance;
    }
  }
  return { worst, mean: sum / expected.length };
}

/** Bytes [h, w, 3] as planes [3, h, w] in [0, 1]. */
export function planesOf(bytes: Uint8Array, width: number, height: number): Planes {
  const plane = width * height;
  const data = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let channel = 0; channel < 3; channel++) data[channel * plane + i] = (bytes[3 * i + channel] as number) / 255;
  }
  return { width, height, data };
}

function stored(name: string): Promise<Uint8Array> {
  return fetchBytes(urlOf(URLS, `${name}.bin`));
}
