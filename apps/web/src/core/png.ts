/** A PNG file written a few rows at a time, so that a picture need never be in memory as a whole. */

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const COLOUR_TYPE: Record<number, number> = { 1: 0, 2: 4, 3: 2, 4: 6 }; // by channels: grey, grey+alpha, RGB, RGBA
const SRGB_PERCEPTUAL = Uint8Array.of(0);
const SUB = 1;
const UP = 2;
const CHUNK = 1 << 20;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/** Writes 8-bit rows from top to bottom into a PNG file. */
export class PngWriter {
  readonly #stride: number;
  readonly #channels: number;
  readonly #compression = new CompressionStream("deflate");
  readonly #input = this.#compression.writable.getWriter();
  readonly #output: Promise<Blob>;
  #last: Uint8Array;
  #filter = SUB; // the first row has none above it

  /** `channels` is 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA). */
  constructor(
    readonly width: number,
    readonly height: number,
    channels: number,
  ) {
    this.#channels = channels;
    this.#stride = width * channels;
    this.#last = new Uint8Array(this.#stride);
    const header = new Uint8Array(13);
    new DataView(header.buffer).setUint32(0, width);
    new DataView(header.buffer).setUint32(4, height);
    header.set([8, COLOUR_TYPE[channels] as number], 8);
    this.#output = this.#collect([SIGNATURE, chunk("IHDR", header), chunk("sRGB", SRGB_PERCEPTUAL)]);
    this.#output.catch(() => {}); // `finish` reports it
  }

  /** Append whole rows, [n, width, channels]. */
  async write(rows: Uint8Array): Promise<void> {
    const filtered = new Uint8Array((rows.length / this.#stride) * (this.#stride + 1));
    for (let from = 0, to = 0; from < rows.length; from += this.#stride, to += this.#stride + 1) {
      const row = rows.subarray(from, from + this.#stride);
      filtered[to] = this.#filter;
      const reference = this.#filter === UP ? this.#last : shifted(row, this.#channels);
      for (let i = 0; i < row.length; i++) filtered[to + 1 + i] = (row[i] as number) - (reference[i] as number);
      this.#last = row;
      this.#filter = UP;
    }
    this.#last = this.#last.slice(); // the caller may use its rows again
    await this.#input.write(filtered);
  }

  /** The whole file, once every row has been written. */
  async finish(): Promise<Blob> {
    await this.#input.close();
    return this.#output;
  }

  /** Give up; what was written is let go of. */
  async abort(): Promise<void> {
    await this.#input.abort().catch(() => {});
  }

  async #collect(parts: BlobPart[]): Promise<Blob> {
    let pending: Uint8Array[] = [];
    let size = 0;
    const flush = () => {
      // A blob may be moved to disk by the browser, which an array cannot.
      if (size > 0) parts.push(new Blob([chunk("IDAT", joined(pending, size))]));
      pending = [];
      size = 0;
    };
    const reader = this.#compression.readable.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      pending.push(read.value);
      size += read.value.length;
      if (size >= CHUNK) flush();
    }
    flush();
    return new Blob([...parts, chunk("IEND", new Uint8Array())], { type: "image/png" });
  }
}

/** A PNG chunk: length, name, data, checksum. */
export function chunk(name: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** The checksum of PNG (ISO 3309). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function shifted(row: Uint8Array, by: number): Uint8Array {
  const result = new Uint8Array(row.length);
  result.set(row.subarray(0, row.length - by), by);
  return result;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
