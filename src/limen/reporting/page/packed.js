// Bytes and numbers as a page's data hold them, and pictures made of bytes: what every report's page uses.

/** @typedef {{whole?: string, f32?: string, f64?: string}} Packed */

/** @param {string} text @returns {Uint8Array} */
export function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Numbers of a packed array, as exact as they were. @param {Packed} packed @returns {Float64Array | Float32Array} */
export function unpacked(packed) {
  if (packed.f32 !== undefined) return new Float32Array(bytesOf(packed.f32).buffer);
  if (packed.f64 !== undefined) return new Float64Array(bytesOf(packed.f64).buffer);
  const bytes = bytesOf(packed.whole ?? "");
  let length = 0;
  for (const byte of bytes) if (byte < 128) length++;
  const numbers = new Float64Array(length);
  let at = 0, unit = 1;
  for (const byte of bytes) {
    numbers[at] += (byte & 127) * unit;
    unit *= 128;
    if (byte < 128) { at++; unit = 1; }
  }
  return numbers;
}

/** Draw a picture of levels, row after row, in colours from that of nothing to that of the loudest.
 * @param {HTMLCanvasElement} canvas @param {{pixels: string, frames: number}} picture
 * @param {string[]} colours  Of level 0, of 0.6 and of 1. */
export function paint(canvas, picture, colours) {
  const pixels = bytesOf(picture.pixels), width = picture.frames, height = pixels.length / width;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const [quiet, middle, loud] = colours.map((colour) => {
    context.fillStyle = colour;
    const hex = String(context.fillStyle);
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
  const image = context.createImageData(width, height);
  pixels.forEach((level, place) => {
    const share = level / 255, [from, to, within] = share < 0.6 ? [quiet, middle, share / 0.6] : [middle, loud, (share - 0.6) / 0.4];
    for (let part = 0; part < 3; part++) image.data[4 * place + part] = from[part] + (to[part] - from[part]) * within;
    image.data[4 * place + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}
