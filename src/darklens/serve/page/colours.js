// Colour maps, as colours at equal steps with linear interpolation between them.
// inferno, viridis and cividis are in the public domain (CC0), by S. van der Walt, N. Smith,
// J. Nunez, C. Anderton and R. Renslow.

export const COLOUR_MAPS = {
  inferno:
    "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 " +
    "d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4",
  viridis:
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c " +
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
  cividis:
    "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 " +
    "8c8878 9b9476 aba072 bcae6c cdbb63 dec958 f0d846 fee838",
  gray:
    "000000 101010 202020 303030 404040 505050 606060 707070 808080 " +
    "909090 a0a0a0 b0b0b0 c0c0c0 d0d0d0 e0e0e0 f0f0f0 ffffff",
  diverging: "173a6b 2b62a8 5f95c9 a9c9e2 f3f2ef edb9a5 d97b66 b73c41 761b2d",
};

/** A table of 256 colours as bytes r, g, b. */
export function table(name) {
  const marks = COLOUR_MAPS[name].split(" ").map((hex) => parseInt(hex, 16));
  const colours = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i += 1) {
    const place = (i / 255) * (marks.length - 1);
    const k = Math.min(Math.floor(place), marks.length - 2);
    for (let channel = 0; channel < 3; channel += 1) {
      const shift = 16 - 8 * channel;
      const [a, b] = [(marks[k] >> shift) & 255, (marks[k + 1] >> shift) & 255];
      colours[3 * i + channel] = a + (b - a) * (place - k);
    }
  }
  return colours;
}
