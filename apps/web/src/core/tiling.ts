/**
 * Cut a picture into tiles: the arithmetic of `runtime/tiles/tiling.py`, number for number (`tests/web/tiling.json` holds
 * both to it). Pure functions; lengths in pixels of the input.
 */

/** One tile along one axis: the network sees [start, stop), [keepStart, keepStop) is pasted. */
export interface Span {
  readonly start: number;
  readonly stop: number;
  readonly keepStart: number;
  readonly keepStop: number;
}

/** All tiles of a picture: every row span crossed with every column span. */
export interface Plan {
  readonly height: number;
  readonly width: number;
  readonly rows: readonly Span[];
  readonly columns: readonly Span[];
}

/** What a network asks of its tiles, and how large they may be. */
export interface TileRules {
  /** Divides every height and width that the network accepts. */
  readonly align: number;
  /** How many pixels at an inner edge of a tile are dropped. */
  readonly radius: number;
  /** The side of every tile; null chooses. */
  readonly tile: number | null;
  /** The largest side that is chosen; a picture of up to its square is one tile. */
  readonly largest: number;
}

/** The smallest multiple of `multiple` that is >= `value`. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/**
 * Where positions [start, stop) of an axis lie once it is continued by repeated reflection about its end pixels; a
 * single pixel repeats itself. `start` is not negative.
 */
export function reflectIndices(length: number, start: number, stop: number): Int32Array {
  const period = Math.max(2 * (length - 1), 1);
  return Int32Array.from({ length: stop - start }, (_, offset) => {
    const index = (start + offset) % period;
    return length > 1 ? Math.min(index, period - index) : 0;
  });
}

/** Choose the tiles for a picture. Throws a `RangeError` where the tile size cannot work. */
export function planTiles(height: number, width: number, rules: TileRules): Plan {
  const { align, radius, tile, largest } = rules;
  if (tile !== null && (tile < align || tile % align !== 0)) {
    throw new RangeError(`tile=${tile}: a tile is a multiple of ${align} pixels`);
  }
  const lengths: Pair = [roundUp(height, align), roundUp(width, align)];
  const sides: Pair = tile === null ? autoTiles(lengths, radius, align, largest) : [tile, tile];
  const needed = roundUp(2 * radius + align, align);
  if ([0, 1].some((axis) => at(lengths, axis) > at(sides, axis) && at(sides, axis) < needed)) {
    throw new RangeError(`tile=${tile}: too small to tile with a seam of ${radius} pixels on each side`);
  }
  const spans = (axis: number, length: number) =>
    axisSpans(length, at(lengths, axis), Math.min(at(sides, axis), at(lengths, axis)), radius, align);
  return { height, width, rows: spans(0, height), columns: spans(1, width) };
}

/**
 * Tiles along an axis of `length` pixels, continued to `padded`; `padded` and `tile` are multiples of `align`.
 * Neighbours overlap by at least 2 `radius` and meet in the middle of the overlap; the kept parts tile [0, length).
 */
export function axisSpans(length: number, padded: number, tile: number, radius: number, align: number): Span[] {
  const stride = tile - roundUp(2 * radius, align);
  const starts: number[] = [];
  for (let start = 0; start < padded - tile; start += stride) starts.push(start);
  starts.push(Math.max(padded - tile, 0));
  const cuts = starts.slice(1).map((start, left) => Math.floor((at(starts, left) + start + tile) / 2));
  return starts.map((start, i) => ({
    start,
    stop: start + tile,
    keepStart: i === 0 ? 0 : at(cuts, i - 1),
    keepStop: i === cuts.length ? length : at(cuts, i),
  }));
}

type Pair = readonly [number, number];

function autoTiles(lengths: Pair, radius: number, align: number, limit: number): Pair {
  if (lengths[0] * lengths[1] <= limit * limit) return lengths;
  const largest = roundUp(Math.max(limit, 4 * radius), align);
  const margin = roundUp(2 * radius, align);
  // As many tiles as the largest size needs, then the smallest size for which that many still reach across.
  const side = (length: number) => {
    const count = Math.max(1, Math.ceil((length - margin) / (largest - margin)));
    return roundUp(Math.ceil((length + (count - 1) * margin) / count), align);
  };
  return [side(lengths[0]), side(lengths[1])];
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no element ${index}`);
  return value;
}
