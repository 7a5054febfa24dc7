// Calls of the HTTP API, and arrays as they travel.

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server cannot be reached. Is it still running?");
  }
  if (answer.ok) return answer;
  let text = `The server answered ${answer.status}.`;
  try {
    text = (await answer.json()).error ?? text;
  } catch {
    // an answer without words: its status is all there is
  }
  throw new Error(text);
}

export const get = async (path) => (await call(path)).json();

function posted(path, content) {
  const headers = { "Content-Type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(content) });
}

export const post = async (path, content) => (await posted(path, content)).json();
export const postForFile = async (path, content) => (await posted(path, content)).blob();

/** Send files with some fields; empty fields are left out. */
export async function send(path, files, fields, limit) {
  const form = new FormData();
  let size = 0;
  for (const file of files) {
    form.append("files", file, file.name);
    size += file.size;
  }
  if (limit && size > limit * 1e6) throw new Error(`The files are larger than ${limit} MB in all.`);
  for (const [name, value] of Object.entries(fields)) if (value !== "") form.append(name, value);
  return (await call(path, { method: "POST", body: form })).json();
}

/** The pixels of a plane: rows, columns and single-precision values. */
export function decode(plane) {
  const text = atob(plane.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const [rows, columns] = plane.shape;
  return { rows, columns, binning: plane.binning, values: new Float32Array(bytes.buffer) };
}

/** Bytes from base64. */
export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Images of one size as a .npy file of single precision. */
export function npy(images, name) {
  const { rows, columns } = images[0];
  const shape = images.length === 1 ? `(${rows}, ${columns})` : `(${images.length}, ${rows}, ${columns})`;
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  header = header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11) + "\n";
  const length = new Uint8Array([header.length & 255, header.length >> 8]);
  const parts = [new Uint8Array(MAGIC), length, header, ...images.map((image) => image.values)];
  return new File(parts, name, { type: "application/octet-stream" });
}
