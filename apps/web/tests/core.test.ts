import { describe, expect, it } from "vitest";
import { isGrey } from "../src/core/grey";
import { settle } from "../src/core/opacity";
import { chunk, crc32 } from "../src/core/png";
import { isWhole, panBy, reframe, type View, whole, zoomAt } from "../src/core/view";
import { bytes, duration, timeLeft } from "../src/core/words";
import { difference } from "../src/engine/check";
import { nameOf, whyNotAs } from "../src/page/download";
import { overviewReduction } from "../src/worker/limits";

describe("view", () => {
  const picture = { width: 800, height: 600 };
  const frame = { width: 400, height: 400 };
  const at = { x: 100, y: 250 };
  const pixelAt = (view: View) => [(at.x - view.x) / view.scale, (at.y - view.y) / view.scale];

  it("shows all of the picture in the middle", () => {
    expect(whole(picture, frame)).toEqual({ scale: 0.5, x: 0, y: 50 });
  });

  it("keeps what is under the finger", () => {
    const view = zoomAt(whole(picture, frame), 4, at, picture, frame);
    const closer = zoomAt(view, 1.7, at, picture, frame);
    pixelAt(closer).forEach((place, i) => {
      expect(place).toBeCloseTo(pixelAt(view)[i] as number);
    });
  });

  it("never leaves a gap, nor gets smaller than the frame", () => {
    const view = zoomAt(whole(picture, frame), 4, at, picture, frame);
    expect(panBy(view, { x: 1e5, y: -1e5 }, picture, frame)).toEqual({ scale: 2, x: 0, y: 400 - 1200 });
    expect(isWhole(zoomAt(view, 1e-9, at, picture, frame), picture, frame)).toBe(true);
  });

  it("stays whole in a frame of another size", () => {
    const wide = { width: 1000, height: 300 };
    expect(reframe(whole(picture, frame), picture, frame, wide)).toEqual(whole(picture, wide));
  });
});

describe("grey", () => {
  const jpeg = (components: number) =>
    Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 17, 8, 0, 9, 0, 9, components, 0, 0);
  const png = (type: number) => Uint8Array.of(0x89, 0x50, 0x4e, 0x47, ...new Array(21).fill(0), type);

  it("is read from the header", () => {
    expect([1, 3].map((components) => isGrey(jpeg(components)))).toEqual([true, false]);
    expect([0, 2, 3, 4, 6].map((type) => isGrey(png(type)))).toEqual([true, false, false, true, false]);
  });

  it("is not seen in files that are cut off or something else", () => {
    expect(isGrey(new Uint8Array())).toBe(false);
    expect(isGrey(jpeg(1).subarray(0, 11))).toBe(false);
    expect(isGrey(new TextEncoder().encode("RIFF....WEBP"))).toBe(false);
  });
});

describe("png", () => {
  it("has the checksums of the standard", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    expect([...chunk("IEND", new Uint8Array()).slice(8)]).toEqual([0xae, 0x42, 0x60, 0x82]);
  });
});

describe("difference from the stored tile", () => {
  const expected = Uint8Array.of(10, 20, 30);
  const planes = (...levels: number[]) => ({ width: 1, height: 1, data: Float32Array.from(levels, (l) => l / 255) });

  it("is in levels", () => {
    expect(difference(planes(10, 20, 30), expected)).toEqual({ worst: 0, mean: 0 });
    expect(difference(planes(10, 23, 30), expected)).toEqual({ worst: 3, mean: 1 });
  });

  it("is infinite where it cannot be told", () => {
    expect(difference(planes(10, Number.NaN, 30), expected).worst).toBe(Infinity);
    expect(difference({ width: 0, height: 0, data: new Float32Array() }, expected).worst).toBe(Infinity);
  });
});

describe("alpha", () => {
  const planes = (width: number, height: number, of: (x: number, y: number) => number) => ({
    width,
    height,
    data: Float32Array.from({ length: 3 * width * height }, (_, i) => of(i % width, Math.floor(i / width) % height)),
  });

  it("is exactly what it was where it and all around are clear or opaque", () => {
    const given = planes(6, 1, (x) => [0, 0, 0.5, 1, 1, 1][x] as number);
    const enlarged = planes(12, 2, () => 0.25);
    settle([given, given], [planes(12, 2, () => 0.25), enlarged]);
    const row = [0, 0, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 1, 1, 1, 1];
    expect([...enlarged.data]).toEqual(new Array(6).fill(row).flat());
  });

  it("is not looked for in a picture without", () => {
    const only = planes(2, 2, () => 0.25);
    settle([planes(1, 1, () => 1)], [only]);
    expect(only.data.every((value) => value === 0.25)).toBe(true);
  });
});

describe("downloads", () => {
  it("are named after the photo", () => {
    expect(nameOf("holiday.2024.JPG", 4, "png")).toBe("holiday.2024_x4.png");
    expect(nameOf("noname", 4, "jpeg")).toBe("noname_x4.jpg");
    expect(nameOf(".png", 4, "webp")).toBe("picture_x4.webp");
  });

  it("are PNG where nothing else holds them", () => {
    expect(whyNotAs("png", 16000, 12000)).toBeNull();
    expect(whyNotAs("jpeg", 4000, 3000)).toBeNull();
    expect(whyNotAs("jpeg", 16000, 12000)).toContain("192 megapixels");
    expect(whyNotAs("webp", 20000, 100)).toContain("take PNG");
  });
});

describe("overviews", () => {
  it("are reduced until any canvas holds them", () => {
    expect(overviewReduction(4000, 3000)).toBe(1);
    expect(overviewReduction(8000, 6000)).toBe(2);
    expect(overviewReduction(16000, 12000)).toBe(4);
  });
});

describe("words", () => {
  it("are short", () => {
    expect([0, 12.4, 75].map(duration)).toEqual(["1 s", "12 s", "1 min 15 s"]);
    expect([10, 32_044, 1_612_832].map(bytes)).toEqual(["1 kB", "32 kB", "1.6 MB"]);
    expect(timeLeft(2, 10, 4)).toBe(16);
  });
});
