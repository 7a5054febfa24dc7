// The tab that fits a smooth lens.

import { decode, npy, post, send } from "./api.js";
import { attempt, byId, digits, download, element, fillSelect } from "./dom.js";
import { draw } from "./draw.js";

const line = byId("fit-status");
const UNITS = { angle: "°", radius: "″", _x: "″", _y: "″", length: "″" };
const COMPONENTS = /gamma\d|_e\d$|_log_|^log_/; // their sizes and directions are shown instead

/** Set up the tab. */
export function startFit(known) {
  fillSelect(byId("fit-preset"), known.presets.map((preset) => preset.name), "common-test-1");
  const about = () => {
    const preset = known.presets.find((one) => one.name === byId("fit-preset").value);
    byId("fit-about").textContent = preset.description;
    for (const id of ["fit-scale", "fit-size"]) byId(id).disabled = !preset.general;
  };
  byId("fit-preset").addEventListener("change", about);
  about();
  const files = byId("fit-files");
  files.addEventListener("change", async () => {
    await fit([...files.files]);
    files.value = "";
  });
  byId("fit-example").addEventListener("click", example);
}

async function example() {
  let file = null;
  const made = await attempt(line, "Simulating …", async () => {
    const preset = byId("fit-preset").value;
    const seed = Math.floor(1e6 * Math.random());
    const drawn = await post("api/draw", { preset, label: "sphere", seed });
    file = npy([decode(drawn.images[0])], `example-${preset}-${seed}.npy`);
    if (!byId("fit-scale").disabled) byId("fit-scale").value = drawn.pixel_scale;
  });
  if (made) await fit([file]);
}

async function fit(files) {
  if (!files.length) return;
  byId("fit-results").replaceChildren();
  const value = (id) => (byId(id).disabled ? "" : byId(id).value);
  await attempt(line, `Fitting ${files[0].name} …`, async () => {
    const fields = {
      preset: byId("fit-preset").value,
      pixel_scale: value("fit-scale"),
      size: value("fit-size"),
      psf_fwhm: value("fit-psf"),
    };
    const found = await send("api/fit", files, fields);
    byId("fit-results").replaceChildren(card(found));
    return "Fitted.";
  });
}

function card(found) {
  const shown = found.parameters.filter((one) => !COMPONENTS.test(one.name));
  const rows = shown.map((one) => element("tr", {}, element("th", { scope: "row" }, one.name.replaceAll("_", " ")),
    element("td", { class: "number", "data-name": one.name, "data-value": one.value }, `${digits(one.value, 5)}${unit(one.name)}`),
    element("td", { class: "number" }, `± ${digits(one.error, 2)}`)));
  const verdict = `Reduced chi-square ${digits(found.chi_square, 4)}${found.converged ? "" : ", not converged"}`;
  const words = [element("div", { class: "file" }, found.name), element("h2", { class: "verdict" }, verdict),
    element("p", {}, `Preset ${found.preset}, noise: ${found.noise}${found.counts ? `, photon counts: ${found.counts}` : ""}.`)];
  if (found.note) words.push(element("p", { class: "warning" }, found.note));
  words.push(element("div", { class: "row" }, element("button", {
    type: "button", class: "small", onclick: () => download(found.csv, "fit.csv", "text/csv"),
  }, "All parameters as CSV")));
  const heads = ["parameter", "value", "error"].map((text, k) => element("th", { scope: "col", class: k ? "number" : "" }, text));
  const table = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Parameters" },
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)));
  return element("article", { class: "card answer" },
    element("div", { class: "head" }, element("div", {}, ...words), table),
    element("div", { class: "panels" }, ...figures(found)));
}

function figures(found) {
  const made = found.panels.map((panel) => {
    const plane = decode(panel.plane);
    const curves = panel.title === "smooth model" ? { critical: found.critical } : {};
    return figure(panel.title, plane, {
      ...curves, limit: panel.limit, scale: found.pixel_scale * plane.binning, bar: panel.limit === null,
    });
  });
  const plane = decode(found.source.plane);
  const scale = (found.source.x[1] - found.source.x[0]) / (plane.columns - 1);
  made.push(figure("source plane, with caustics", plane, { stretch: "linear", scale, caustics: found.caustics }));
  return made;
}

function figure(title, plane, options) {
  const canvas = element("canvas", { role: "img", "aria-label": title });
  draw(canvas, plane, options);
  const range = options.limit ? `, ±${options.limit}` : "";
  return element("figure", {}, canvas, element("figcaption", {}, title + range));
}

function unit(name) {
  return Object.entries(UNITS).find(([part]) => name.endsWith(part))?.[1] ?? "";
}
