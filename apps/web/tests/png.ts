/** Reads back what `PngWriter` wrote, strictly. */

import { inflateSync } from "node:zlib";
import { crc32 } from "../src/core/png";

export interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly colourType: number;
  readonly data: Uint8Array;
}

const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 4: 2, 6: 4 };

export async function decodePng(blob: Blob): Promise<Decoded> {
  const file = Buffer.from(await blob.arrayBuffer());
  const chunks = [...chunksOf(file)];
  const header = chunks[0]?.data as Buffer;
  const [width, height, colourType] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9] as number];
  const compressed = Buffer.concat(chunks.filter(({ name }) => name === "IDAT").map(({ data }) => data));
  return {
    width,
    height,
    colourType,
    data: unfiltered(inflateSync(compressed), width, CHANNELS[colourType] as number),
  };
}

function* chunksOf(file: Buffer): Generator<{ name: string; data: Buffer }> {
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const data = file.subarray(at + 8, at + 8 + length);
    if (crc32(file.subarray(at + 4, at + 8 + length)) !== file.readUInt32BE(at + 8 + length))
      throw new Error("checksum");
    yield { name: file.toString("latin1", at + 4, at + 8), data };
    at += length + 12;
  }
}

function unfiltered(bytes: Uint8Array, width: number, channels: number): Uint8Array {
  const stride = width * channels;
  const rows = bytes.length / (stride + 1);
  const data = new Uint8Array(rows * stride);
  for (let y = 0; y < rows; y++) {
    const filter = bytes[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x < channels ? 0 : (data[at - channels] as number);
      const above = y === 0 ? 0 : (data[at - stride] as number);
      data[at] = (bytes[y * (stride + 1) + 1 + x] as number) + (filter === 1 ? left : above);
    }
  }
  return data;
}
