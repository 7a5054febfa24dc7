// The tab that generates: a gallery, and the game "which are real?".

import { decode, npy, post } from "./api.js";
import { attempt, byId, download, element, fillSelect, inWords, say } from "./dom.js";
import { draw } from "./draw.js";

const BATCH = 4; // images of one request, so that the progress is seen
const GAME = 5; // images of each kind
const line = byId("generate-status");
const gallery = byId("gallery");
const progress = byId("generate-progress");
let planes = [];
let models = [];

/** Set up the tab. */
export function startGenerate(known) {
  models = known.models.filter((model) => model.kind === "generator");
  fillSelect(byId("generate-model"), models.map((model) => model.name), models[0]?.name);
  byId("generate-model").addEventListener("change", chooseModel);
  byId("generate-form").addEventListener("submit", (event) => {
    event.preventDefault();
    generate();
  });
  byId("game-start").addEventListener("click", play);
  byId("generate-npy").addEventListener("click", () => download(npy(planes, "generated.npy"), "generated.npy"));
  byId("generate-png").addEventListener("click", savePicture);
  if (models.length) chooseModel();
  else say(line, "This server has no generator.", "bad");
}

const chosen = () => models.find((model) => model.name === byId("generate-model").value);

function chooseModel() {
  const classes = chosen().classes.map((name) => [name, inWords(name)]);
  fillSelect(byId("generate-label"), [["", "all in turn"], ...classes], "");
  byId("game-start").disabled = !chosen().preset;
}

function request(count, start) {
  const number = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
  return {
    model: byId("generate-model").value,
    label: byId("generate-label").value || null,
    steps: number("generate-steps"),
    guidance: number("generate-guidance") ?? 1,
    seed: number("generate-seed") ?? 0,
    count,
    start,
  };
}

/** Ask for images a few at a time; `each` is called with every image and its class. */
async function collect(count, content, each) {
  progress.hidden = false;
  progress.value = 0;
  try {
    for (let start = 0; start < count; start += BATCH) {
      const found = await post("api/generate", { ...content(Math.min(BATCH, count - start), start) });
      found.images.forEach((image, k) => each(decode(image), found.classes[k] ?? "", found.pixel_scale));
      progress.value = Math.min(1, (start + BATCH) / count);
    }
  } finally {
    progress.hidden = true;
  }
}

async function generate() {
  const count = Number(byId("generate-count").value);
  clear();
  const buttons = byId("generate-form").querySelectorAll("button");
  await attempt(line, "Generating …", async () => {
    await collect(count, request, (plane, label, scale) => {
      planes.push(plane);
      gallery.append(element("figure", {}, picture(plane, scale, `Generated lens ${planes.length}`),
        element("figcaption", {}, label ? inWords(label) : `${planes.length}`)));
    });
    byId("generate-downloads").hidden = false;
    return `${planes.length} new lenses.`;
  }, buttons);
}

function clear() {
  planes = [];
  gallery.replaceChildren();
  byId("game").hidden = true;
  byId("generate-downloads").hidden = true;
}

function picture(plane, scale, words) {
  const canvas = element("canvas", { role: "img", "aria-label": words });
  draw(canvas, plane, { scale, side: 300 });
  return canvas;
}

/** The gallery as one picture. */
function savePicture() {
  const tiles = [...gallery.querySelectorAll("canvas")];
  const columns = Math.ceil(Math.sqrt(tiles.length));
  const [width, height] = [tiles[0].width, tiles[0].height];
  const whole = element("canvas");
  [whole.width, whole.height] = [columns * width, Math.ceil(tiles.length / columns) * height];
  const pen = whole.getContext("2d");
  tiles.forEach((tile, k) => pen.drawImage(tile, (k % columns) * width, Math.floor(k / columns) * height));
  whole.toBlob((blob) => download(blob, "generated.png"));
}

/** Real here means simulated: traced through a lens, pixel by pixel. */
async function play() {
  const model = chosen();
  const seed = Math.floor(1e6 * Math.random());
  const items = [];
  clear();
  const started = await attempt(line, "Preparing the game …", async () => {
    const drawn = await post("api/draw", { preset: model.preset, count: GAME, seed });
    drawn.images.forEach((image) => items.push({ plane: decode(image), real: true }));
    await collect(GAME, (count, start) => ({ model: model.name, count, start, seed }), (plane) => {
      items.push({ plane, real: false });
    });
  }, [byId("game-start")]);
  if (!started) return;
  for (let k = items.length - 1; k > 0; k -= 1) {
    const other = Math.floor((k + 1) * Math.random());
    [items[k], items[other]] = [items[other], items[k]];
  }
  showGame(items, model);
}

function showGame(items, model) {
  const tiles = items.map((item, k) => {
    const word = element("span", { class: "word" }, `Image ${k + 1}`);
    const tile = element("button", { type: "button", class: "tile", "aria-pressed": "false" },
      picture(item.plane, null, `Image ${k + 1}`), word);
    tile.addEventListener("click", () => {
      tile.setAttribute("aria-pressed", tile.getAttribute("aria-pressed") !== "true");
    });
    return Object.assign(item, { tile, word });
  });
  const done = element("button", { type: "button", class: "primary" }, "Done");
  const result = element("p", { class: "verdict", role: "status" });
  done.addEventListener("click", () => finish(tiles, done, result));
  byId("game").replaceChildren(
    element("h2", {}, "Which are real?"),
    element("p", {}, `${GAME} of these were simulated with ${model.preset}, by tracing light through a lens. `
      + `${GAME} were made by the network. Choose those that you think are simulated.`),
    element("div", { class: "gallery" }, ...tiles.map((item) => item.tile)),
    element("div", { class: "row" }, done), result,
  );
  byId("game").hidden = false;
}

function finish(items, done, result) {
  done.disabled = true;
  let right = 0;
  for (const { tile, word, real } of items) {
    const said = tile.getAttribute("aria-pressed") === "true";
    tile.disabled = true;
    right += said === real;
    tile.classList.toggle("wrong", said !== real);
    word.textContent = `${real ? "simulated" : "generated"}, ${said === real ? "right" : "wrong"}`;
  }
  result.textContent = `${right} of ${items.length} right. Guessing gives ${items.length / 2}.`;
}
