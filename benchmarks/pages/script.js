// What a page does: lights up what belongs together, walks through an example, searches. It reads well without.
"use strict";

// Linking: a statement, what it undoes or is undone by, and what it reads.

const related = (row, kind) => (row.dataset[kind] || "").split(" ").filter(Boolean)
  .map((id) => document.getElementById(id)).filter(Boolean);

function light(row, on) {
  row.classList.toggle("lit", on);
  const undoing = document.querySelectorAll(`.row[data-undoes~="${row.id}"]`);
  for (const other of [...related(row, "undoes"), ...undoing]) other.classList.toggle("undone", on);
  for (const other of related(row, "reads")) other.classList.toggle("read", on);
}

for (const row of document.querySelectorAll(".row[id]")) {
  row.addEventListener("mouseenter", () => light(row, true));
  row.addEventListener("mouseleave", () => light(row, row.contains(document.activeElement)));
  row.addEventListener("focusin", () => light(row, true));
  row.addEventListener("focusout", () => light(row, false));
}

// Stepping: one step at a time, beside the numbers that it reads.

class Stepper {
  constructor(section) {
    this.section = section;
    this.steps = [...section.querySelectorAll(".step")];
    this.count = section.querySelector(".count");
    this.buttons = Object.fromEntries([...section.querySelectorAll("[data-go]")].map((one) => [one.dataset.go, one]));
    this.place = 0;
    this.buttons.first.addEventListener("click", () => this.show(0));
    this.buttons.back.addEventListener("click", () => this.move(-1));
    this.buttons.next.addEventListener("click", () => this.move(1));
    this.buttons.last.addEventListener("click", () => this.show(this.steps.length - 1));
    this.buttons.close.addEventListener("click", () => this.close());
    this.count.textContent = `${this.steps.length} steps`;
  }

  get isOpen() {
    return this.section.classList.contains("open");
  }

  // The first move opens the panel.
  move(way) {
    this.show(this.isOpen ? this.place + way : this.place);
  }

  close() {
    this.section.classList.remove("open");
    for (const row of document.querySelectorAll(".row.at")) row.classList.remove("at", "lit");
    this.buttons.next.focus();
  }

  show(place) {
    if (place < 0 || place >= this.steps.length) return;
    for (const other of Stepper.all) if (other !== this) other.section.classList.remove("open");
    this.section.classList.add("open");
    this.place = place;
    Stepper.latest = this;
    const step = this.steps[place];
    for (const one of this.steps) one.classList.toggle("at", one === step);
    this.showReads(step);
    this.count.textContent = `${place + 1} / ${this.steps.length}`;
    this.buttons.first.disabled = this.buttons.back.disabled = place === 0;
    this.buttons.last.disabled = this.buttons.next.disabled = place === this.steps.length - 1;
    for (const row of document.querySelectorAll(".row.at")) row.classList.remove("at", "lit");
    const row = document.getElementById(step.dataset.row);
    if (row) {
      row.classList.add("at", "lit");
      this.reveal(row);
    }
    step.parentElement.scrollTop = 0;
  }

  // The row must not be hidden behind the panel, which is at the window's lower end.
  reveal(row) {
    const box = row.getBoundingClientRect();
    const lower = window.innerHeight - this.section.offsetHeight - 20;
    const upper = (document.querySelector(".top").getBoundingClientRect().bottom || 0) + 12;
    if (box.bottom > lower) window.scrollBy({ top: box.bottom - lower, behavior: "instant" });
    else if (box.top < upper) window.scrollBy({ top: box.top - upper, behavior: "instant" });
  }

  showReads(step) {
    if (step.querySelector(".reads") || !step.dataset.reads) return;
    const earlier = this.steps.slice(0, this.steps.indexOf(step)).reverse();
    const found = step.dataset.reads.split(" ").map((name) => {
      const holder = earlier.find((one) => one.querySelector(`figure[data-value="${name}"]`));
      const own = holder && holder.querySelector(`figure[data-value="${name}"]`).cloneNode(true);
      if (own) own.removeAttribute("data-value");
      return own;
    }).filter(Boolean);
    if (!found.length) return;
    const reads = document.createElement("div");
    reads.className = "values reads";
    reads.setAttribute("aria-label", "what it reads");
    reads.append(...found);
    step.querySelector(".panels").prepend(reads);
  }
}

Stepper.all = [...document.querySelectorAll(".stepper")].map((section) => new Stepper(section));

// A step has an address of its own: batchnorm.html#batch_norm@B5.
function follow() {
  const [name, label] = decodeURIComponent(window.location.hash.slice(1)).split("@");
  const stepper = label && Stepper.all.find((one) => one.section.dataset.name === name);
  if (stepper) stepper.show(stepper.steps.findIndex((step) => step.dataset.row === `${name}-${label}`));
}

window.addEventListener("hashchange", follow);
follow();

// The arrow keys move the steps that were moved last, or those at hand.
document.addEventListener("keydown", (event) => {
  const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const busy = event.target.closest("input, textarea, pre, summary, .scroll");
  if (!way || busy || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const inside = event.target.closest(".stepper, .derivation");
  const seen = (one) => one.section.parentElement.getBoundingClientRect().bottom > 0;
  const chosen = Stepper.all.find((one) => inside && (inside === one.section || inside.contains(one.section)))
    || (Stepper.latest && seen(Stepper.latest) ? Stepper.latest : Stepper.all.find(seen));
  if (!chosen) return;
  event.preventDefault();
  chosen.move(way);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && Stepper.latest && Stepper.latest.isOpen) Stepper.latest.close();
});

// Searching: every word has to be somewhere in a title or in what belongs to it; titles come first.

const box = document.getElementById("search");
if (box) {
  const entries = JSON.parse(document.getElementById("entries").textContent);
  const results = document.getElementById("results");
  const plain = (text) => text.toLowerCase().replace(/[_\s]+/g, " ");
  const search = () => {
    const words = plain(box.value).split(" ").filter(Boolean);
    const scored = entries.map((entry) => {
      const title = plain(entry.title);
      const all = `${title} ${entry.kind} ${plain(entry.words)}`;
      if (!words.every((word) => all.includes(word))) return [0, entry];
      const whole = words.join(" ");
      return [1 + 4 * (title === whole) + 2 * title.startsWith(whole) + words.filter((word) => title.includes(word)).length, entry];
    });
    const found = scored.filter(([score]) => score).sort((one, other) => other[0] - one[0]).slice(0, 12);
    results.hidden = !words.length;
    results.replaceChildren(...(found.length ? found.map(([, entry]) => item(entry)) : [nothing()]));
  };
  const item = (entry) => {
    const link = Object.assign(document.createElement("a"), { href: entry.url, textContent: entry.title });
    link.append(Object.assign(document.createElement("small"), { textContent: entry.kind }));
    const one = document.createElement("li");
    one.append(link);
    return one;
  };
  const nothing = () => Object.assign(document.createElement("li"), { textContent: "Nothing found." });
  box.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = results.querySelector("a");
    if (first) first.click();
  });
  box.addEventListener("input", search);
  box.value = new URLSearchParams(window.location.search).get("q") || "";
  if (box.value) search();
}
