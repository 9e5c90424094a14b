import { describe, expect, it } from "vitest";
import goldens from "../../../tests/web/tiling.json";
import { planTiles, reflectIndices, type Span } from "../src/core/tiling";

const numbers = ({ start, stop, keepStart, keepStop }: Span) => [start, stop, keepStart, keepStop];

describe("tiling is that of runtime/tiles/tiling.py", () => {
  for (const { height, width, align, radius, tile, rows, columns } of goldens.plans) {
    it(`${height}×${width}, align ${align}, radius ${radius}, tile ${tile}`, () => {
      const plan = () => planTiles(height, width, { align, radius, tile, largest: goldens.largest });
      if (rows === null) {
        expect(plan).toThrow(RangeError);
      } else {
        expect(plan().rows.map(numbers)).toEqual(rows);
        expect(plan().columns.map(numbers)).toEqual(columns);
      }
    });
  }

  it("reflects at the end pixels", () => {
    for (const [length, start, stop, indices] of goldens.reflections as [number, number, number, number[]][]) {
      expect([...reflectIndices(length, start, stop)]).toEqual(indices);
    }
  });
});
