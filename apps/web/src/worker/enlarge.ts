/** The whole way from pixels to a PNG file: tile by tile, row of tiles by row of tiles. */

import { channels, cutTile, type Kind, keepPart, type Part, type Pixels, type Planes } from "../core/layers";
import { settle } from "../core/opacity";
import { PngWriter } from "../core/png";
import type { Plan } from "../core/tiling";
import type { Engine } from "../engine/session";

export interface Work {
  readonly pixels: Pixels;
  readonly kind: Kind;
  readonly plan: Plan;
  readonly scale: number;
  readonly engine: Pick<Engine, "run">;
  /** Called after each tile; the next one waits for it. */
  readonly finished: (part: Part, done: number, total: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/** The enlarged picture as a PNG file. No more than a row of tiles is in memory. Throws what `signal` is aborted with. */
export async function enlarge(work: Work): Promise<Blob> {
  const { plan, kind, scale } = work;
  const width = plan.width * scale;
  const writer = new PngWriter(width, plan.height * scale, channels(kind));
  const total = plan.rows.length * plan.columns.length;
  let done = 0;
  try {
    for (const row of plan.rows) {
      const band = new Uint8Array((row.keepStop - row.keepStart) * scale * width * channels(kind));
      for (const column of plan.columns) {
        const given = cutTile(work.pixels, row, column, kind);
        const layers: Planes[] = [];
        for (const layer of given) layers.push(checked(await work.engine.run(layer), layer, scale));
        settle(given, layers);
        const part = keepPart(layers, row, column, scale, kind);
        paste(band, width * channels(kind), part, channels(kind));
        await work.finished(part, ++done, total);
        work.signal.throwIfAborted();
      }
      await writer.write(band);
    }
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function paste(band: Uint8Array, stride: number, part: Part, channels: number): void {
  const length = part.width * channels;
  for (let y = 0; y < part.height; y++) {
    band.set(part.data.subarray(y * length, (y + 1) * length), y * stride + part.x * channels);
  }
}

function checked(result: Planes, input: Planes, scale: number): Planes {
  const { width, height, data } = result;
  if (width !== input.width * scale || height !== input.height * scale) {
    throw new Error(`the model gave ${width}×${height} pixels; the bundle is faulty`);
  }
  if (!data.every(Number.isFinite)) throw new Error("the model gave NaN or infinite values; choose another engine");
  return result;
}
