// Reports: tables that sort, a catalogue that filters, pictures that enlarge. All by mouse or keys.

(() => {
  "use strict";
  const NUMBER = /^[-−+]?\d[\d.]*(e[-−+]?\d+)?\s*(%|×|$|[\s(±])/i;
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  function make(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // Tables: a button in each heading sorts by its column; empty cells stay at the end.
  function text(row, column) {
    const cell = row.cells[column];
    const found = cell ? cell.dataset.value ?? cell.textContent.trim() : "";
    return found === "-" || found === "–" ? "" : found;
  }

  function sort(table, column, descending) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [text(row, column), row]);
    const filled = rows.filter(([found]) => found !== "");
    const numbers = filled.every(([found]) => NUMBER.test(found));
    const value = (found) => Number.parseFloat(found.replace(/−/g, "-"));
    filled.sort(([one], [other]) =>
      (descending ? -1 : 1) * (numbers ? value(one) - value(other) : collator.compare(one, other)));
    const empty = rows.filter(([found]) => found === "");
    body.append(...filled.concat(empty).map(([, row]) => row));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.dataset.sort === "no" || table.tBodies[0].rows.length < 2) return;
      const button = make("button", { type: "button", class: "sort" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        for (const one of heads) one.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order);
        sort(table, column, order === "descending");
      });
    });
  }

  // The catalogue: words in any cell, and one kind of answer.
  const words = document.getElementById("filter");
  const kind = document.getElementById("kind");
  if (words && kind) {
    const rows = [...document.querySelectorAll(".catalogue tbody tr")];
    const cell = (one) => `${one.textContent} ${one.dataset.value ?? ""}`;
    const texts = rows.map((row) => [...row.cells].map(cell).join(" ").toLowerCase());
    const line = document.getElementById("shown");
    const filter = () => {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      rows.forEach((row, k) => {
        const kinds = row.dataset.kinds.split("|");
        const fits = (kind.value === "" || kinds.includes(kind.value)) &&
          wanted.every((word) => texts[k].includes(word));
        row.hidden = !fits;
        count += fits;
      });
      line.textContent = `${count} of ${rows.length} shown`;
    };
    words.addEventListener("input", filter);
    kind.addEventListener("change", filter);
    filter();
  }

  // Pictures: a click or Enter enlarges, arrows go on, Escape closes.
  const shown = make("img", { alt: "" });
  const caption = make("p", {});
  const close = make("button", { type: "button", class: "small" }, "Close");
  const dialog = make("dialog", { class: "zoomed", "aria-label": "Enlarged picture" },
    shown, make("div", { class: "row" }, caption, close));
  document.body.append(dialog);
  let current = null;

  function show(button) {
    const picture = button.querySelector("img");
    current = button;
    shown.src = picture.src;
    shown.alt = picture.alt;
    caption.textContent = picture.alt;
    dialog.classList.toggle("smooth", button.closest("figure") !== null);
    if (!dialog.open) dialog.showModal();
  }

  function step(by) {
    const all = [...document.querySelectorAll("button.zoom")].filter((one) => one.offsetParent);
    const next = all[all.indexOf(current) + by];
    if (next) show(next);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.zoom");
    if (button) show(button);
    else if (event.target === dialog || event.target === close) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" || event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowLeft" || event.key === "ArrowUp") step(-1);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => current?.focus());
})();
