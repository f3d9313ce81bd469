// The display: rectangles of RGB565, high byte first, onto the canvas.

const FIVE = Uint8Array.from({ length: 32 }, (_, v) => Math.round((v * 255) / 31));
const SIX = Uint8Array.from({ length: 64 }, (_, v) => Math.round((v * 255) / 63));

export class Screen {
  #context;

  constructor(canvas) {
    this.#context = canvas.getContext("2d", { alpha: false });
  }

  // x, y, w, h as u16, then the pixels.
  draw(buffer) {
    const view = new DataView(buffer);
    const [x, y, w, h] = [0, 2, 4, 6].map((at) => view.getUint16(at));
    const image = new ImageData(w, h);
    const out = image.data;
    const pixels = new Uint8Array(buffer, 8);
    for (let i = 0, o = 0; o < out.length; i += 2, o += 4) {
      const value = (pixels[i] << 8) | pixels[i + 1];
      out[o] = FIVE[value >> 11];
      out[o + 1] = SIX[(value >> 5) & 63];
      out[o + 2] = FIVE[value & 31];
      out[o + 3] = 255;
    }
    this.#context.putImageData(image, x, y);
  }
}
