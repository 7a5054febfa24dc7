// The tab that classifies: upload, answers with pictures, the table.

import { bytesOf, decode, npy, post, send } from "./api.js";
import { attempt, byId, digits, download, element, fillSelect, inWords } from "./dom.js";
import { COLOURS, draw, STRETCHES } from "./draw.js";

const line = byId("classify-status");
const pictures = []; // functions that draw the pictures again
let shown = null;
let limit = 100;

/** Set up the tab; `known` are the models and presets. */
export function startClassify(known, health) {
  const classifiers = known.models.filter((model) => model.kind === "classifier");
  const first = classifiers.find((model) => model.name === "default") ?? classifiers[0];
  limit = health.upload_limit;
  fillSelect(byId("classify-model"), classifiers.map((model) => model.name), first?.name);
  fillSelect(byId("stretch"), STRETCHES, "arcs");
  fillSelect(byId("colours"), COLOURS, "inferno");
  for (const id of ["stretch", "colours"]) byId(id).addEventListener("change", redraw);
  const files = byId("classify-files");
  files.addEventListener("change", async () => {
    await classify([...files.files]);
    files.value = "";
  });
  for (const mark of ["dragenter", "dragleave", "drop"]) {
    files.addEventListener(mark, () => byId("classify-drop").classList.toggle("over", mark === "dragenter"));
  }
  for (const button of byId("classify-examples").querySelectorAll("button")) {
    button.addEventListener("click", () => example(button, classifiers));
  }
  byId("classify-csv").addEventListener("click", () => download(shown.csv, "table.csv", "text/csv"));
  byId("classify-parquet").addEventListener("click", () => download(bytesOf(shown.parquet), "table.parquet"));
}

/** Classify files and show the answers. */
export async function classify(files) {
  if (!files.length) return;
  const what = files.length === 1 ? files[0].name : `${files.length} files`;
  byId("classify-results").hidden = true;
  await attempt(line, `Classifying ${what} …`, async () => {
    const fields = {
      model: byId("classify-model").value,
      coverage: byId("classify-coverage").value,
      extension: byId("classify-extension").value.trim(),
    };
    show(await send("api/classify", files, fields, limit));
    const failed = shown.rows.filter((row) => row.error).length;
    const count = shown.rows.length;
    const images = `${count} image${count === 1 ? "" : "s"}`;
    return `${images} classified with ${shown.model}${failed ? `; ${failed} could not be used` : ""}.`;
  });
}

async function example(button, classifiers) {
  const model = classifiers.find((one) => one.name === byId("classify-model").value);
  const label = button.dataset.label;
  let file = null;
  const made = await attempt(line, "Simulating …", async () => {
    if (!model?.preset) throw new Error("This model names no preset to simulate from.");
    const seed = Math.floor(1e6 * Math.random());
    const drawn = await post("api/draw", { preset: model.preset, label, seed });
    file = npy([decode(drawn.images[0])], `example-${label}-${seed}.npy`);
  });
  if (made) await classify([file]);
}

function redraw() {
  for (const again of pictures) again();
}

function show(answer) {
  shown = answer;
  pictures.length = 0;
  byId("classify-table").replaceChildren(...(answer.rows.length > 1 ? [overview(answer)] : []));
  byId("classify-rows").replaceChildren(...answer.rows.map((row, k) => card(row, k, answer)));
  byId("classify-results").hidden = false;
}

/** One row an image, for uploads of several. */
function overview(answer) {
  const heads = ["image", "answer", ...answer.classes.map(inWords), "familiarity"];
  const rows = answer.rows.map((row, k) => {
    const name = element("a", { href: `#image-${k}` }, row.name);
    if (row.error) {
      return element("tr", {}, element("td", { class: "file" }, name),
        element("td", { colspan: heads.length - 1 }, row.error));
    }
    const numbers = [...answer.classes.map((one) => row.probabilities[one]), row.familiarity];
    return element("tr", {}, element("td", { class: "file" }, name), element("td", {}, inWords(row.label)),
      ...numbers.map((value) => element("td", { class: "number" }, digits(value))));
  });
  const head = element("tr", {}, ...heads.map((text, k) => element("th", { scope: "col", class: k > 1 ? "number" : "" }, text)));
  return element("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": "All images" },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function card(row, index, answer) {
  const id = `image-${index}`;
  if (row.error) {
    return element("article", { class: "card answer", id }, element("div", { class: "file" }, row.name),
      element("p", { class: "status bad" }, row.error));
  }
  const words = [element("div", { class: "file" }, row.name),
    element("h2", { class: "verdict" }, verdict(row)), ...sentences(row, answer)];
  if (row.note) words.push(element("p", { class: "warning" }, row.note));
  const bars = answer.classes.map((name) => meter(row, name));
  const panels = row.panels.length ? row.panels : [{ title: "image", plane: row.image, limit: null }];
  const figures = panels.filter((panel) => panel.plane).map((panel) => figure(panel, row, answer));
  return element("article", { class: "card answer", id },
    element("div", { class: "head" }, element("div", {}, ...words), element("div", { class: "bars" }, ...bars)),
    element("div", { class: panels.length < 4 ? "panels few" : "panels" }, ...figures));
}

function verdict(row) {
  if (row.label === "unknown") return "No answer";
  const words = inWords(row.label);
  return words[0].toUpperCase() + words.slice(1);
}

/** What the numbers mean, in sentences. */
function sentences(row, answer) {
  const found = [];
  if (row.label !== "unknown") {
    found.push(`Probability ${digits(row.probabilities[row.label], 4)}.`);
  } else if (row.summary) {
    found.push(`The model cannot judge this image: ${row.summary.replace("unknown: ", "")}.`);
  }
  if (row.possible.length) {
    const all = row.possible.length === answer.classes.length;
    const set = row.possible.map(inWords).join(" or ");
    const share = `${100 * answer.coverage} %`;
    found.push(all ? `At ${share} no class is excluded.` : `At ${share} only ${set} remains possible.`);
  }
  if (row.familiarity !== null) {
    const share = digits(100 * row.familiarity, 2);
    found.push(`${share} % of the calibration images are as unusual as this one (familiarity ${digits(row.familiarity)}).`);
  }
  if (Number.isFinite(row.columns.chi_square)) {
    found.push(`Smooth fit: ${row.columns.fit}, reduced chi-square ${digits(row.columns.chi_square, 4)}.`);
  }
  return found.map((text) => element("p", {}, text));
}

function meter(row, name) {
  const value = row.probabilities[name];
  const fill = element("div", { class: "fill" });
  fill.style.width = `${100 * (value ?? 0)}%`;
  return element("div", { class: name === row.label ? "meter top" : "meter" }, element("span", {}, inWords(name)),
    element("div", { class: "track", "aria-hidden": "true" }, fill),
    element("span", { class: "number", "data-class": name, "data-value": value }, value === null ? "–" : value.toFixed(4)));
}

function figure(panel, row, answer) {
  const plane = decode(panel.plane);
  const original = decode(row.image ?? panel.plane);
  const pixels = (original.columns * original.binning) / plane.columns;
  // A crop or a binned map does not say where it lies in the image: only the image has a scale bar.
  const scale = panel.title === "image" && answer.pixel_scale ? answer.pixel_scale * pixels : null;
  const canvas = element("canvas", { role: "img", "aria-label": `${panel.title} of ${row.name}` });
  const again = () => draw(canvas, plane, {
    stretch: byId("stretch").value, colours: byId("colours").value, limit: panel.limit, scale,
  });
  pictures.push(again);
  again();
  const range = panel.limit === null ? "" : `, ±${panel.limit}`;
  return element("figure", {}, canvas, element("figcaption", {}, panel.title + range));
}
