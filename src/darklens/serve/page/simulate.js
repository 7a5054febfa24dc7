// The tab that simulates: sliders, the image that follows them, downloads.

import { decode, npy, post, postForFile } from "./api.js";
import { attempt, byId, digits, download, element, fillSelect, inWords, say, setting } from "./dom.js";
import { draw } from "./draw.js";

// name, words, lowest, highest, step, unit; "log" makes the slider logarithmic
const GROUPS = [
  ["Lens", [
    ["einstein_radius", "Einstein radius", 0.3, 2.5, 0.01, "″"],
    ["axis_ratio", "axis ratio", 0.4, 1, 0.01, ""],
    ["position_angle", "position angle", -90, 90, 1, "°"],
    ["slope", "slope", 1.6, 2.4, 0.01, ""],
    ["shear", "shear", 0, 0.3, 0.005, ""],
    ["shear_angle", "shear angle", -90, 90, 1, "°"],
    ["lens_light", "lens light / source", 0, 10, 0.05, "×"],
    ["lens_light_radius", "its radius", 0.1, 4, 0.05, "″"],
  ]],
  ["Source", [
    ["source_x", "x", -1, 1, 0.01, "″"],
    ["source_y", "y", -1, 1, 0.01, "″"],
    ["source_radius", "radius", 0.03, 1, 0.01, "″"],
    ["source_sersic_index", "Sérsic index", 0.5, 4, 0.05, ""],
    ["source_axis_ratio", "axis ratio", 0.2, 1, 0.01, ""],
    ["source_position_angle", "position angle", -90, 90, 1, "°"],
    ["source_brightness", "brightness", 1e-3, 1000, "log", "/s/px"],
  ]],
  ["Substructure", [
    ["subhalos", "number of subhalos", 0, 200, 1, "", "sphere"],
    ["subhalo_mass", "largest mass", 1e7, 1e11, "log", "M☉", "sphere"],
    ["subhalo_slope", "mass function", -2.5, 0, 0.05, "", "sphere"],
    ["subhalo_reach", "within", 0.2, 4, 0.05, "″", "sphere"],
    ["line_mass", "mass of the line", 1e9, 2e11, "log", "M☉", "vort"],
    ["line_half_length", "half length", 0.1, 3, 0.05, "″", "vort"],
    ["line_position_angle", "position angle", -90, 90, 1, "°", "vort"],
    ["line_offset", "distance", 0, 2.5, 0.05, "″", "vort"],
    ["line_offset_angle", "direction", -180, 180, 1, "°", "vort"],
  ]],
  ["Telescope", [
    ["psf_fwhm", "PSF, full width", 0.03, 1, 0.01, "″"],
    ["pixel_scale", "pixel scale", 0.02, 0.3, 0.005, "″"],
    ["pixels", "pixels a side", 48, 256, 2, ""],
    ["exposure", "exposure", 0.05, 20000, "log", "s"],
    ["sky", "sky", 1e-3, 1000, "log", "/s/px"],
  ]],
];
const canvas = byId("simulate-image");
const line = byId("simulate-status");
const sliders = new Map();
let settings = null;
let current = null; // the plane that is shown
let running = false;
let wanted = null; // when the change was made that is not drawn yet
let onClassify = () => {};

/** Set up the tab; `classify` takes files. */
export function startSimulate(known, classify) {
  onClassify = classify;
  const presets = known.presets.filter((preset) => preset.name !== "common-test-1-wide");
  fillSelect(byId("simulate-preset"), presets.map((preset) => preset.name), "common-test-1");
  byId("simulate-preset").addEventListener("change", () => choosePreset(presets));
  byId("simulate-groups").append(...GROUPS.map(group));
  byId("simulate-draw").addEventListener("click", () => drawLens(Math.floor(1e6 * Math.random())));
  byId("simulate-again").addEventListener("click", () => {
    if (!settings) return;
    settings.seed = (settings.seed + 1) % 2 ** 53;
    change();
  });
  for (const kind of ["critical", "caustics", "perturbers"]) byId(`show-${kind}`).addEventListener("change", change);
  byId("simulate-classify").addEventListener("click", () => {
    if (current) onClassify([npy([current], "simulated.npy")]);
  });
  for (const button of document.querySelectorAll("[data-format]")) {
    button.addEventListener("click", () => save(button.dataset.format));
  }
  byId("simulate-copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("simulate-python").textContent);
    say(line, "Copied.");
  });
  choosePreset(presets);
}

/** Draw the first lens when the tab is first opened. */
export function openSimulate() {
  if (!settings) drawLens(2, "sphere");
}

function choosePreset(presets) {
  const preset = presets.find((one) => one.name === byId("simulate-preset").value);
  fillSelect(byId("simulate-label"), preset.classes.map((name) => [name, inWords(name)]), "sphere");
  byId("simulate-about").textContent = preset.description;
}

async function drawLens(seed) {
  await attempt(line, "Drawing a lens …", async () => {
    const content = { preset: byId("simulate-preset").value, label: byId("simulate-label").value, seed };
    settings = (await post("api/draw", content)).settings;
    for (const [name, slider] of sliders) slider.set(settings[name]);
    byId("substructure").value = settings.substructure;
    byId("noise").checked = settings.noise;
    showGroup();
    change();
  });
}

function group([title, entries], index) {
  const body = element("div", { class: "body" });
  if (title === "Substructure") {
    const kinds = ["no", "sphere", "vort"].map((name) => [name, inWords(name)]);
    const select = element("select", { id: "substructure" });
    fillSelect(select, kinds, "sphere");
    select.addEventListener("change", () => {
      settings.substructure = select.value;
      showGroup();
      change();
    });
    body.append(element("div", { class: "field" }, element("label", { for: "substructure" }, "Kind"), select));
  }
  body.append(...entries.map(slider));
  if (title === "Telescope") {
    const box = element("input", { type: "checkbox", id: "noise", checked: true });
    box.addEventListener("change", () => {
      settings.noise = box.checked;
      change();
    });
    body.append(element("div", { class: "row checks" }, element("label", {}, box, " photon noise")));
  }
  return element("details", { class: "card group", open: index !== 1 || innerWidth > 820 },
    element("summary", {}, title), body);
}

function slider([name, words, low, high, step, unit, kind]) {
  const log = step === "log";
  const [from, to] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const id = `slider-${name}`;
  const input = element("input", { type: "range", id, min: from, max: to, step: log ? 0.01 : step, "data-name": name });
  const shown = element("output", { for: id });
  const show = (value) => {
    const text = `${setting(value)}${unit === "″" || unit === "°" || !unit ? unit : ` ${unit}`}`;
    shown.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", () => {
    if (!settings) return;
    settings[name] = log ? 10 ** Number(input.value) : Number(input.value);
    show(settings[name]);
    change();
  });
  const row = element("div", { class: "slider" }, element("label", { for: id }, words), input, shown);
  sliders.set(name, {
    row,
    kind,
    set(value) {
      input.value = log ? Math.log10(Math.max(value, low)) : value;
      show(value);
    },
  });
  return row;
}

function showGroup() {
  for (const { row, kind } of sliders.values()) row.hidden = Boolean(kind) && kind !== settings.substructure;
}

/** Something has changed: draw again as soon as the server is free, and only the latest. */
function change() {
  if (!settings) return;
  wanted = performance.now();
  if (!running) refresh();
}

async function refresh() {
  running = true;
  while (wanted !== null) {
    const since = wanted;
    wanted = null;
    const overlays = ["critical", "caustics", "perturbers"].filter((kind) => byId(`show-${kind}`).checked);
    try {
      const found = await post("api/simulate", { settings, overlays: overlays.length > 0 });
      show(found, overlays);
      const spent = performance.now() - since;
      canvas.dataset.milliseconds = spent.toFixed(1);
      canvas.dataset.drawn = Number(canvas.dataset.drawn ?? 0) + 1;
      byId("simulate-time").textContent = `${spent.toFixed(0)} ms`;
      say(line, "");
    } catch (error) {
      say(line, error.message, "bad");
    }
  }
  running = false;
  byId("simulate-python").textContent = await (await postForFile("api/simulate", { settings, format: "py" })).text();
}

function show(found, overlays) {
  current = decode(found.image);
  const options = { scale: found.pixel_scale * current.binning };
  for (const kind of overlays) options[kind] = found[kind];
  draw(canvas, current, options);
  canvas.setAttribute("aria-label",
    `Simulated lens with ${inWords(settings.substructure)}, Einstein radius ${digits(settings.einstein_radius)} arcsec, `
    + `brightest pixel ${digits(found.peak)} counts`);
}

async function save(format) {
  await attempt(line, "", async () => {
    const name = format === "py" ? "lens.py" : `lens.${format}`;
    download(await postForFile("api/simulate", { settings, format }), name);
  });
}
