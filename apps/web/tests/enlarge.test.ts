import { describe, expect, it } from "vitest";
import type { Kind, Pixels } from "../src/core/layers";
import { type Plan, planTiles } from "../src/core/tiling";
import { enlarge } from "../src/worker/enlarge";
import { COLOUR, nearest, noise } from "./pictures";
import { decodePng } from "./png";

const SCALE = 4;
const planOf = (pixels: Pixels, tile: number | null): Plan =>
  planTiles(pixels.height, pixels.width, { align: 4, radius: 7, tile, largest: 64 });

function work(pixels: Pixels, kind: Kind, tile: number | null, signal = new AbortController().signal) {
  const seen: string[] = [];
  const finished = async (_: unknown, done: number, total: number) => void seen.push(`${done}/${total}`);
  const png = enlarge({
    pixels,
    kind,
    plan: planOf(pixels, tile),
    scale: SCALE,
    engine: nearest(SCALE),
    finished,
    signal,
  });
  return { png, seen };
}

/** The channels `kept` of each pixel, repeated by nearest enlargement. */
function expected({ width, height, data }: Pixels, kept: number[]): number[] {
  const result: number[] = [];
  for (let y = 0; y < height * SCALE; y++) {
    for (let x = 0; x < width * SCALE; x++) {
      const from = 4 * (Math.floor(y / SCALE) * width + Math.floor(x / SCALE));
      result.push(...kept.map((channel) => data[from + channel] as number));
    }
  }
  return result;
}

describe("enlarge", () => {
  for (const tile of [null, 32, 20]) {
    for (const [width, height] of [
      [1, 1],
      [61, 83],
      [97, 30],
    ] as const) {
      it(`${width}×${height} in tiles of ${tile}: every pixel in its place`, async () => {
        const pixels = noise(width, height);
        const decoded = await decodePng(await work(pixels, COLOUR, tile).png);
        expect([decoded.width, decoded.height, decoded.colourType]).toEqual([width * SCALE, height * SCALE, 2]);
        expect(Buffer.from(decoded.data).equals(Buffer.from(expected(pixels, [0, 1, 2])))).toBe(true);
      });
    }
  }

  it("keeps grey grey", async () => {
    const pixels = noise(40, 30);
    for (let i = 0; i < pixels.data.length; i++) if (i % 4 !== 3) pixels.data[i] = pixels.data[i - (i % 4)] as number;
    const decoded = await decodePng(await work(pixels, { grey: true, alpha: false }, 32).png);
    expect(decoded.colourType).toBe(0);
    expect([...decoded.data]).toEqual(expected(pixels, [0]));
  });

  it("brings alpha through, and colour where it can be seen", async () => {
    const pixels = noise(40, 30, true);
    const decoded = await decodePng(await work(pixels, { grey: false, alpha: true }, 32).png);
    const want = expected(pixels, [0, 1, 2, 3]);
    expect(decoded.colourType).toBe(6);
    for (let i = 0; i < want.length; i += 4) {
      const given = want[i + 3] as number;
      const alpha = given < 3 ? 0 : given > 252 ? 255 : given;
      expect(decoded.data[i + 3]).toBe(alpha);
      if (alpha > 0) expect(Math.abs((decoded.data[i] as number) - (want[i] as number))).toBeLessThanOrEqual(2);
    }
  });

  it("tells of each tile", async () => {
    const { png, seen } = work(noise(60, 30), COLOUR, 32);
    await png;
    expect(seen[0]).toBe(`1/${seen.length}`);
    expect(seen.at(-1)).toBe(`${seen.length}/${seen.length}`);
  });

  it("stops after the tile at which it is cancelled", async () => {
    const controller = new AbortController();
    const { png, seen } = work(noise(200, 200), COLOUR, 32, controller.signal);
    controller.abort();
    await expect(png).rejects.toThrow();
    expect(seen.length).toBe(1);
  });

  it("refuses results that are no picture", async () => {
    const pixels = noise(8, 8);
    const rest = { pixels, kind: COLOUR, plan: planOf(pixels, null), scale: SCALE, finished: async () => {} };
    const signal = new AbortController().signal;
    const run = async () => ({ width: 32, height: 32, data: new Float32Array(3 * 32 * 32).fill(Number.NaN) });
    await expect(enlarge({ ...rest, signal, engine: { run } })).rejects.toThrow("NaN");
    await expect(enlarge({ ...rest, signal, engine: nearest(2) })).rejects.toThrow("16×16");
  });
});
