"use strict";
// Keys and countdowns of a request's page. Without this script every one of these things is a
// button, a box or a link on the page.
(() => {
  const desk = document.querySelector("[data-desk]");
  if (!desk) return;
  const tiles = [...desk.querySelectorAll("[data-tile]")];
  const OFF = "unlist-desk-keys-off";
  let current = -1;
  let asked = null; // the fieldset whose choices the digits make

  // --- tiles
  const go = (step) => {
    if (!tiles.length) return;
    current = Math.min(tiles.length - 1, Math.max(0, current + step));
    asked = null;
    tiles[current].focus({ preventScroll: true });
    tiles[current].scrollIntoView({ block: "start" });
  };
  const tile = () => tiles[Math.max(0, current)];
  const frame = () => tile()?.querySelector("iframe")?.contentDocument;
  const press = (element) => element?.click();
  const look = () => {
    const shown = frame();
    press(shown?.querySelector("[data-reveal]") ?? shown?.querySelector("[data-hide]"));
  };
  const view = (name) => {
    const shown = frame();
    const wanted = shown?.getElementById(`view-${name}`);
    if (wanted) (wanted.checked ? shown.getElementById("view-side") : wanted).checked = true;
  };
  const toggle = (box) => {
    if (!box) return;
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const chooseAll = () => {
    const boxes = ["exact", "copy"].flatMap((kind) =>
      [...desk.querySelectorAll(`[data-kind="${kind}"] [data-choose]`)]);
    const all = boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = !all;
  };

  // --- deciding
  const ask = (name) => {
    asked = desk.querySelector(`[data-${name}]`);
    asked?.focus({ preventScroll: true });
    asked?.scrollIntoView({ block: "center" });
    return true;
  };
  const chosen = (name) => desk.querySelector(`input[name="${name}"]:checked`);
  const approve = () => {
    const fields = desk.querySelector("[data-tiers]");
    if (fields && !chosen("tier")) return ask("tiers");
    press(desk.querySelector("[data-approve]"));
  };
  const refuse = () => {
    const fields = desk.querySelector("[data-reasons]");
    if (fields && !chosen("reason")?.value) return ask("reasons");
    press(desk.querySelector("[data-deny]"));
  };
  const pick = (digit) => {
    const radios = [...(asked?.querySelectorAll('input[type="radio"]') ?? [])];
    const named = asked?.matches("[data-reasons]") ? radios.filter((one) => one.value) : radios;
    const radio = named[digit - 1];
    if (radio && !radio.disabled) radio.checked = true;
  };

  // --- keys
  const help = desk.querySelector("[data-keys]");
  const acts = {
    j: () => go(1), k: () => go(current < 0 ? 1 : -1), v: look, p: () => view("points"),
    f: () => view("difference"), " ": () => toggle(tile()?.querySelector("[data-choose]")),
    c: chooseAll, a: approve, d: refuse, u: () => press(desk.querySelector("[data-undo]")),
    w: () => toggle(desk.querySelector('input[name="ready"]')),
    n: () => press(desk.querySelector("[data-next]")),
    "?": () => { help.open = !help.open; help.querySelector("summary").focus(); },
  };
  const isText = (element) => element.matches?.(
    'textarea, select, [contenteditable], input:not([type="checkbox"], [type="radio"])');
  let off = localStorage.getItem(OFF) === "yes";
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.ctrlKey || event.metaKey || event.altKey || isText(target)) return;
    if (off && event.key !== "?") return;
    if (event.key === " " && target.closest("button, a, summary, input")) return;
    const digit = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
    const act = digit ? asked && (() => pick(digit)) : Object.hasOwn(acts, event.key) && acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  tiles.forEach((one, place) => one.addEventListener("focusin", () => { current = place; }));
  const mark = help.querySelector("[data-keys-switch]");
  mark.hidden = false;
  const box = mark.querySelector("input");
  box.checked = !off;
  box.addEventListener("change", () => {
    off = !box.checked;
    localStorage.setItem(OFF, off ? "yes" : "no");
  });

  // --- pressed once is enough
  desk.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    for (const form of desk.querySelectorAll("form")) delete form.dataset.sent;
  });
})();
