// Draw planes on canvases: stretch, colours, scale bar, curves. Row 0 is at the bottom.

import { table } from "./colours.js";

export const STRETCHES = [
  ["arcs", "faint arcs"],
  ["linear", "linear"],
  ["sqrt", "square root"],
  ["asinh", "asinh"],
  ["log", "logarithmic"],
];
export const COLOURS = [
  ["inferno", "inferno"],
  ["viridis", "viridis"],
  ["cividis", "cividis"],
  ["gray", "grey"],
];
const SIDE = 600; // pixels of a canvas
const BARS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60]; // arcsec
const LINE = "#8fd3ff";
const CURVES = { critical: [], caustics: [4, 3] };

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))];
}

/** A function from a pixel value to 0 ... 1. */
function scaling(values, stretch, limit) {
  if (limit !== null && limit !== undefined) return (value) => 0.5 + (0.5 * value) / limit;
  const known = Float32Array.from(values).filter(Number.isFinite).sort();
  const floor = stretch === "linear" ? 0.005 : stretch === "arcs" ? 0.5 : 0.1;
  const low = quantile(known, floor);
  const high = quantile(known, 0.998);
  const span = Math.max(high - low, 1e-30);
  const shapes = {
    arcs: (t) => t ** 0.6,
    linear: (t) => t,
    sqrt: Math.sqrt,
    asinh: (t) => Math.asinh(20 * t) / Math.asinh(20),
    log: (t) => Math.log1p(300 * t) / Math.log(301),
  };
  const shape = shapes[stretch];
  return (value) => shape(Math.min(1, Math.max(0, (value - low) / span)));
}

/** The plane as a picture of its own size. */
function picture(plane, { stretch = "arcs", colours = "inferno", limit = null }) {
  const { rows, columns, values } = plane;
  const scaled = scaling(values, stretch, limit);
  const rgb = table(limit === null ? colours : "diverging");
  const data = new ImageData(columns, rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const value = values[row * columns + column];
      const place = 4 * ((rows - 1 - row) * columns + column);
      const level = 3 * Math.min(255, Math.max(0, Math.round(255 * scaled(value))));
      const known = Number.isFinite(value);
      for (let k = 0; k < 3; k += 1) data.data[place + k] = known ? rgb[level + k] : 128;
      data.data[place + 3] = 255;
    }
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  canvas.getContext("2d").putImageData(data, 0, 0);
  return canvas;
}

/**
 * Draw a plane.
 *
 * `options`: stretch, colours, limit, scale (of a pixel of the plane [arcsec]), overlays: critical,
 * caustics (lists of curves [arcsec]), perturbers, side.
 */
export function draw(canvas, plane, options = {}) {
  const side = options.side ?? SIDE;
  const zoom = side / Math.max(plane.rows, plane.columns);
  [canvas.width, canvas.height] = [Math.round(plane.columns * zoom), Math.round(plane.rows * zoom)];
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(picture(plane, options), 0, 0, canvas.width, canvas.height);
  if (!options.scale) return;
  const perArcsec = zoom / options.scale;
  if (options.bar !== false) scaleBar(pen, canvas, perArcsec);
  const at = ([x, y]) => [
    canvas.width / 2 + x * perArcsec,
    canvas.height / 2 - y * perArcsec,
  ];
  for (const kind of Object.keys(CURVES)) {
    for (const curve of options[kind] ?? []) outline(pen, curve.map(at), CURVES[kind]);
  }
  for (const one of options.perturbers ?? []) perturber(pen, one, at, perArcsec);
}

function scaleBar(pen, canvas, perArcsec) {
  const wanted = (0.25 * canvas.width) / perArcsec;
  const length = BARS.filter((bar) => bar <= wanted).pop();
  if (!length) return;
  const [left, bottom] = [0.04 * canvas.width, 0.955 * canvas.height];
  const size = Math.round(canvas.width / 22);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.lineCap = "butt";
  for (const [colour, width] of [["rgba(0, 0, 0, .55)", 9], ["#ffffff", 4]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = (width * canvas.width) / SIDE;
    pen.beginPath();
    pen.moveTo(left, bottom);
    pen.lineTo(left + length * perArcsec, bottom);
    pen.stroke();
  }
  pen.lineWidth = size / 6;
  pen.strokeStyle = "rgba(0, 0, 0, .55)";
  pen.strokeText(`${length}″`, left, bottom - size / 2.2);
  pen.fillStyle = "#ffffff";
  pen.fillText(`${length}″`, left, bottom - size / 2.2);
}

function outline(pen, points, dash) {
  pen.beginPath();
  points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.setLineDash(dash.map((part) => 2 * part));
  pen.lineWidth = 2;
  pen.strokeStyle = LINE;
  pen.stroke();
  pen.setLineDash([]);
}

function perturber(pen, one, at, perArcsec) {
  pen.lineWidth = 2;
  pen.strokeStyle = "#b9f5c8";
  const points = one.x.map((x, k) => at([x, one.y[k]]));
  pen.beginPath();
  if (points.length === 1) {
    pen.arc(...points[0], Math.max(3, one.einstein_radius * perArcsec), 0, 2 * Math.PI);
  } else {
    points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  }
  pen.stroke();
}
