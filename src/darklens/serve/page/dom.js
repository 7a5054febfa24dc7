// Small tools for the page: elements, status lines, downloads, numbers.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text is never read as HTML. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Fill a list of choices; each is a text, or a pair of value and text. */
export function fillSelect(select, choices, chosen) {
  const options = choices.map((choice) => {
    const [value, text] = Array.isArray(choice) ? choice : [choice, choice];
    return element("option", { value, selected: value === chosen }, text);
  });
  select.replaceChildren(...options);
}

/** A line that says what goes on; screen readers read it. */
export function say(line, text, kind = "") {
  line.className = `status ${kind}`.trim();
  line.textContent = text;
}

/** Run a task with its button disabled and its errors shown in the status line. */
export async function attempt(line, text, task, buttons = []) {
  say(line, text, "busy");
  const free = [...buttons].filter((button) => !button.disabled);
  for (const button of free) button.disabled = true;
  try {
    say(line, (await task()) ?? "");
    return true;
  } catch (error) {
    say(line, error.message, "bad");
    return false;
  } finally {
    for (const button of free) button.disabled = false;
  }
}

/** Save bytes or text as a file. */
export function download(content, name, type = "application/octet-stream") {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A number with a few significant digits. */
export function digits(value, count = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    const [mantissa, power] = value.toExponential(Math.max(0, count - 1)).split("e");
    return `${mantissa.replace("-", "−")}e${Number(power)}`.replace("e-", "e−");
  }
  const decimals = size === 0 ? 0 : Math.max(0, count - 1 - Math.floor(Math.log10(size)));
  return value.toFixed(Math.min(decimals, 6)).replace("-", "−");
}

/** A setting as it was made: few digits, and no zeros at its end. */
export function setting(value) {
  const size = Math.abs(value);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return digits(value);
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** A class in words. */
export function inWords(name) {
  const words = {
    no: "no substructure",
    sphere: "subhalos",
    vort: "a line of mass",
    no_sub: "no substructure",
    sub: "substructure",
    unknown: "no answer",
  };
  return words[name] ?? name;
}
