/** Between 8-bit pixels and the network's planes: what `runtime/pictures/picture.py` does around each tile. */

import { reflectIndices, type Span } from "./tiling";

/** RGBA, four bytes a pixel, as a canvas gives it. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** What of a picture besides its size decides how it is enlarged. */
export interface Kind {
  /** Grey stays grey: the luma of the result is kept. */
  readonly grey: boolean;
  /** Some pixel is not opaque: alpha goes through the network, too. */
  readonly alpha: boolean;
}

/** Float planes [3, height, width] in [0, 1]. */
export interface Planes {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** A part of the result: bytes [height, width, channels], with its place in the whole result. */
export interface Part {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const LUMA = [0.299, 0.587, 0.114] as const;
const NO_ALPHA = 2.5 / 255; // what is no more opaque, or transparent, than this is not so at all: INT8's zero is not 0

/** Bytes of one pixel of the result: 1 to 4. */
export function channels(kind: Kind): number {
  return (kind.grey ? 1 : 3) + (kind.alpha ? 1 : 0);
}

export function hasAlpha(pixels: Pixels): boolean {
  for (let i = 3; i < pixels.data.length; i += 4) if (pixels.data[i] !== 255) return true;
  return false;
}

/** What the network is to see of a tile: colour, premultiplied by alpha, and alpha itself where there is any. */
export function cutTile(pixels: Pixels, row: Span, column: Span, kind: Kind): Planes[] {
  const height = row.stop - row.start;
  const width = column.stop - column.start;
  const ys = reflectIndices(pixels.height, row.start, row.stop);
  const xs = reflectIndices(pixels.width, column.start, column.stop);
  const colour = new Float32Array(3 * height * width);
  const alpha = kind.alpha ? new Float32Array(3 * height * width) : null;
  const plane = height * width;
  let to = 0;
  for (const y of ys) {
    for (const x of xs) {
      const from = 4 * (y * pixels.width + x);
      const opacity = alpha === null ? 1 : byte(pixels.data, from + 3) / 255;
      for (let channel = 0; channel < 3; channel++) {
        colour[channel * plane + to] = (byte(pixels.data, from + channel) / 255) * opacity;
        if (alpha !== null) alpha[channel * plane + to] = opacity;
      }
      to++;
    }
  }
  return [colour, alpha].filter((data) => data !== null).map((data) => ({ width, height, data }));
}

/** The part of a tile's enlarged `layers` that is kept, as bytes and with its place in the whole result. */
export function keepPart(layers: readonly Planes[], row: Span, column: Span, scale: number, kind: Kind): Part {
  const [colour, alpha] = layers;
  if (colour === undefined) throw new RangeError("no layer to keep a part of");
  const top = (row.keepStart - row.start) * scale;
  const left = (column.keepStart - column.start) * scale;
  const height = (row.keepStop - row.keepStart) * scale;
  const width = (column.keepStop - column.keepStart) * scale;
  const data = new Uint8Array(height * width * channels(kind));
  const plane = colour.width * colour.height;
  let to = 0;
  for (let y = top; y < top + height; y++) {
    for (let from = y * colour.width + left; from < y * colour.width + left + width; from++) {
      const opacity = alpha === undefined ? 1 : snapped(luma(alpha.data, from, plane));
      const divisor = opacity > 0 ? opacity : Infinity; // under no alpha there is no colour
      if (kind.grey) {
        data[to++] = level(luma(colour.data, from, plane) / divisor);
      } else {
        for (let channel = 0; channel < 3; channel++) {
          data[to++] = level(value(colour.data, channel * plane + from) / divisor);
        }
      }
      if (alpha !== undefined) data[to++] = level(opacity);
    }
  }
  return { x: column.keepStart * scale, y: row.keepStart * scale, width, height, data };
}

/** The bytes of a part as RGBA, for a canvas. */
export function toRgba(part: Part, kind: Kind): Uint8ClampedArray<ArrayBuffer> {
  const step = channels(kind);
  const rgba = new Uint8ClampedArray(4 * part.width * part.height).fill(255);
  for (let from = 0, to = 0; to < rgba.length; from += step, to += 4) {
    for (let channel = 0; channel < 3; channel++)
      rgba[to + channel] = byte(part.data, kind.grey ? from : from + channel);
    if (kind.alpha) rgba[to + 3] = byte(part.data, from + step - 1);
  }
  return rgba;
}

function luma(planes: Float32Array, index: number, plane: number): number {
  return (
    LUMA[0] * value(planes, index) + LUMA[1] * value(planes, plane + index) + LUMA[2] * value(planes, 2 * plane + index)
  );
}

function snapped(alpha: number): number {
  if (alpha < NO_ALPHA) return 0;
  return alpha > 1 - NO_ALPHA ? 1 : alpha;
}

function level(unit: number): number {
  return Math.round(255 * clip(unit));
}

function clip(unit: number): number {
  return Math.min(Math.max(unit, 0), 1);
}

const byte = (data: Uint8Array | Uint8ClampedArray, index: number): number => data[index] as number;
const value = (data: Float32Array, index: number): number => data[index] as number;
