// The frame of the page: tabs, theme, and the first look at the server.

import { get } from "./api.js";
import { classify, startClassify } from "./classify.js";
import { byId, say } from "./dom.js";
import { startFit } from "./fit.js";
import { startGenerate } from "./generate.js";
import { startModels } from "./models.js";
import { openSimulate, startSimulate } from "./simulate.js";

const tabs = [...document.querySelectorAll('[role="tab"]')];
const names = tabs.map((tab) => tab.getAttribute("aria-controls"));
let known = null;

function open(name, { focus = false } = {}) {
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  document.title = `darklens: ${name}`;
  if (known && name === "simulate") openSimulate();
}

function choose(name, options) {
  open(name, options);
  history.replaceState(null, "", `#${name}`);
  scrollTo(0, 0);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    const here = tabs.indexOf(tab);
    const places = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: tabs.length - 1 };
    if (!(event.key in places)) return;
    event.preventDefault();
    choose(names[(places[event.key] + tabs.length) % tabs.length], { focus: true });
  });
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Change to ${theme === "dark" ? "light" : "dark"} colours`);
}

const system = matchMedia("(prefers-color-scheme: dark)");
setTheme(localStorage.getItem("theme") ?? (system.matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", theme);
  setTheme(theme);
});

async function classifyHere(files) {
  choose("classify");
  await classify(files);
}

function atStart() {
  const wanted = location.hash.slice(1);
  return names.includes(wanted) ? wanted : "classify";
}

async function start() {
  open(atStart());
  const line = byId(`${atStart()}-status`);
  say(line, "Loading the models …", "busy");
  try {
    const health = await get("api/health");
    known = await get("api/models");
    byId("version").textContent = `darklens ${health.version}`;
    startClassify(known, health);
    startFit(known);
    startSimulate(known, classifyHere);
    startGenerate(known);
    startModels(known);
    say(line, "");
    document.documentElement.dataset.ready = "true";
    open(atStart());
  } catch (error) {
    say(line, error.message, "bad");
  }
}

start();
