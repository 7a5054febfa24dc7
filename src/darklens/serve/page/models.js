// The tab with the cards of the models.

import { byId, digits, element, inWords, setting } from "./dom.js";

const BARS = ["accuracy", "macro_auc"]; // scores from 0 to 1, better if larger

/** Show the cards. */
export function startModels(known) {
  byId("models-list").replaceChildren(...known.models.map(card));
}

function card(model) {
  const kind = model.kind === "classifier" ? "classifies" : "generates";
  const scale = model.pixel_scale ? ` of ${setting(model.pixel_scale)}″` : "";
  const facts = [
    ["classes", model.classes.map(inWords).join(", ")],
    ["images", `${model.size[0]} × ${model.size[1]} pixels${scale}`],
    ["values", model.values],
    ["preset", model.preset ?? "–"],
    ["size", `${model.megabytes} MB, ${model.licence}`],
  ];
  if (model.kind === "classifier") {
    facts.push(["method", model.fits ? "fits a smooth lens first" : "pixels only"]);
    facts.push(["says when unsure", model.calibrated ? "yes: sets and familiarity" : "no"]);
  }
  const first = model.scores.slice(0, 3).map(score);
  const rest = model.scores.slice(3).map(score);
  const more = rest.length ? [element("details", {}, element("summary", {}, `${rest.length} more scores`), ...rest)] : [];
  return element("article", { class: "card model" },
    element("h2", {}, model.name, " ", element("span", { class: "kind" }, kind)),
    element("p", {}, model.description),
    element("dl", {}, ...facts.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)])),
    ...first, ...more,
    element("details", {}, element("summary", {}, "How it was trained"), element("p", { class: "hint" }, model.trained)));
}

function score(one) {
  const known = one.low !== null && one.high !== null;
  const interval = known ? ` [${digits(one.low)}, ${digits(one.high)}]` : "";
  const parts = [element("span", {}, one.name.replaceAll("_", " ")),
    element("span", {}, `${digits(one.value)}${interval}`)];
  if (BARS.includes(one.name)) parts.push(track(one, known));
  parts.push(element("span", { class: "data", title: one.command }, one.data));
  return element("div", { class: "score" }, ...parts);
}

/** The score from 0 to 1, with its interval. */
function track(one, known) {
  const fill = element("div", { class: "fill" });
  fill.style.width = `${100 * one.value}%`;
  const parts = [fill];
  if (known) {
    const span = element("div", { class: "span" });
    span.style.left = `${100 * Math.max(0, one.low)}%`;
    span.style.width = `${100 * (Math.min(1, one.high) - Math.max(0, one.low))}%`;
    parts.push(span);
  }
  return element("div", { class: "track", "aria-hidden": "true" }, ...parts);
}
